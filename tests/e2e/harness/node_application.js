'use strict';
/* An application beside the daemon: a folder with its modules and packages, and an HTTP server. */
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { ROOT, cleanup, tempDir } = require('./basics');

const INSTALLED = path.join(__dirname, '../node_modules');

/* files: {name: text}. Imports find `wslock` and the named packages of tests/e2e/node_modules. */
function applicationFolder(t, files = {}, packages = ['express']) {
  const dir = tempDir(t);
  const modules = path.join(dir, 'node_modules');
  fs.cpSync(path.join(ROOT, 'src/web/client'), path.join(modules, 'wslock'), { recursive: true });
  for (const name of packages) fs.symlinkSync(path.join(INSTALLED, name), path.join(modules, name));
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), text);
  return dir;
}

/* Imports a module of the folder, or `wslock/server`. */
function importFrom(dir, name) {
  const file = name === 'wslock/server' ? 'node_modules/wslock/server/index.js' : name;
  return import(pathToFileURL(path.join(dir, file)));
}

/* Serves with an Express application, or any handler, on a free port; gives its address. */
async function serve(t, handler) {
  const server = http.createServer(handler);
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  cleanup(t, () => {
    server.closeAllConnections();
    return new Promise((resolve) => { server.close(resolve); });
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/* The code of a page of docs/ between <!-- NAME: begin --> and <!-- NAME: end -->, by name. */
function codeOf(page) {
  const text = fs.readFileSync(path.join(ROOT, 'docs', page), 'utf8');
  const found = [...text.matchAll(/<!-- (\S+): begin -->\n```\w+\n([\s\S]*?)```\n<!-- \1: end -->/g)];
  assert.strictEqual(found.length, text.match(/<!-- \S+: begin -->/g).length, `${page}: each block is complete`);
  return Object.fromEntries(found.map(([, name, code]) => [name, code]));
}

module.exports = { applicationFolder, codeOf, importFrom, serve };
