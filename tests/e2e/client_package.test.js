'use strict';
/* The npm package of the JavaScript client: packed, installed, typed, built into an application, small. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { test } = require('node:test');
const h = require('./harness');

const run = promisify(execFile);
const MODULES = path.join(__dirname, 'node_modules');
const SIZE_LIMIT = 12 * 1024;

/* The bytes of an entry, minified and compressed as a server sends it. */
async function size(entry, external = []) {
  const { build } = require('esbuild');
  const { outputFiles } = await build({
    entryPoints: [path.join(h.CLIENT_DIR, entry)], bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, external,
  });
  return zlib.gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

test('the size', async () => {
  const bytes = await size('wslock.js');
  assert.ok(bytes <= SIZE_LIMIT, `${bytes} bytes`);
  const readme = fs.readFileSync(path.join(h.CLIENT_DIR, 'README.md'), 'utf8');
  const told = Number(/(\d+\.\d) KiB minified and gzipped/.exec(readme)[1]);
  assert.ok(Math.abs(told - bytes / 1024) < 0.15, `the README says ${told} KiB, it has ${(bytes / 1024).toFixed(2)}`);
});

test('the README names every method, property, event and option', () => {
  const readme = fs.readFileSync(path.join(h.CLIENT_DIR, 'README.md'), 'utf8');
  const types = fs.readFileSync(path.join(h.CLIENT_DIR, 'wslock.d.ts'), 'utf8');
  for (const name of ['class WslockClient', 'class Section', 'interface WslockOptions', 'interface Draft ', 'interface SaveRequest', 'interface Granted']) {
    const from = types.indexOf(name);
    assert.ok(from > 0, name);
    const body = types.slice(from, types.indexOf('\n}', from));
    for (const [, member] of body.matchAll(/^ {2}(?:readonly )?([a-zA-Z]+)\??[(:<]/gm)) {
      if (member !== 'constructor') assert.ok(new RegExp(`\\b${member}\\b`).test(readme), `${name}: ${member}`);
    }
  }
  for (const [, code] of types.match(/type ClientErrorCode =.*/)[0].matchAll(/"(\w+)"/g)) assert.ok(readme.includes(code), code);
  assert.strictEqual([...readme.matchAll(/^### Recipe/gm)].length, 5);
});

test('the version is the daemon’s', () => {
  const { version } = JSON.parse(fs.readFileSync(path.join(h.CLIENT_DIR, 'package.json'), 'utf8'));
  assert.strictEqual(version, /project\(wslockd VERSION (\S+)/.exec(fs.readFileSync(path.join(h.ROOT, 'CMakeLists.txt'), 'utf8'))[1]);
});

test('npm pack, an application with it: types, a build', async (t) => {
  const dir = h.tempDir(t);
  const offline = { cwd: dir, env: { ...process.env, npm_config_offline: 'true', npm_config_cache: path.join(dir, 'cache'), npm_config_audit: 'false' } };
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', dir, h.CLIENT_DIR], offline);
  const [{ filename, files }] = JSON.parse(stdout);
  for (const name of ['package.json', 'README.md', 'wslock.js', 'wslock.d.ts', 'wslock/client.js', 'react.js', 'react.d.ts', 'protocol.d.ts']) {
    assert.ok(files.some((file) => file.path === name), name);
  }
  const app = path.join(dir, 'app');
  fs.cpSync(path.join(__dirname, 'client_example'), app, { recursive: true });
  await run('npm', ['install', '--legacy-peer-deps', path.join(dir, filename)], { ...offline, cwd: app });
  for (const name of ['react', 'react-dom', '@types', 'csstype', 'vite', 'typescript', 'scheduler', 'loose-envify', 'js-tokens']) {
    const from = path.join(MODULES, name);
    if (fs.existsSync(from)) fs.symlinkSync(from, path.join(app, 'node_modules', name));
  }
  await t.test('tsc --strict', async () => {
    await run(process.execPath, [path.join(MODULES, 'typescript/bin/tsc'), '-p', app]).catch((error) => assert.fail(error.stdout));
  });
  await t.test('vite build', async () => {
    await run(process.execPath, [path.join(MODULES, 'vite/bin/vite.js'), 'build', '--logLevel', 'error'], { cwd: app });
    const assets = path.join(app, 'dist/assets');
    const built = fs.readdirSync(assets).map((name) => fs.readFileSync(path.join(assets, name), 'utf8')).join('');
    assert.match(built, /wslock\.v1/);
  });
  await t.test('in Node, as an application imports it', async () => {
    const source = 'import { webcrypto } from "node:crypto"; globalThis.crypto ??= webcrypto; ' // Node 18 has none
      + 'import { WslockClient } from "wslock"; new WslockClient({ url: "ws://x/", getToken: () => "" }); console.log("ok")';
    const { stdout: said } = await run(process.execPath, ['--input-type=module', '-e', source], { cwd: app });
    assert.strictEqual(said, 'ok\n');
  });
});
