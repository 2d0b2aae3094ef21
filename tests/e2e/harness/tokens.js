'use strict';
/* Tokens, keys and certificates. */
const crypto = require('node:crypto');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const jose = require('jose');

/* Text: a secret file may end with a newline that is none of it. */
const SECRET = Buffer.from(crypto.randomBytes(48).toString('base64'));

/*
 * A token for tests: {user, name, roles, admin, ttl (seconds, may be negative), kid, alg, key, claims,
 * header}. Default key: the secret that daemon() configures as kid `test`.
 */
function token(who = {}) {
  const now = Math.floor(Date.now() / 1000);
  const roles = [...(who.roles || []), ...(who.admin ? ['lock-admin'] : [])];
  const payload = {
    sub: who.user || 'ann',
    ...(who.name && { name: who.name }),
    ...(roles.length && { roles }),
    iat: now,
    exp: now + (who.ttl === undefined ? 3600 : who.ttl),
    ...who.claims,
  };
  const header = { alg: who.alg || 'HS256', ...(who.kid !== null && { kid: who.kid || 'test' }), ...who.header };
  return new jose.SignJWT(payload).setProtectedHeader(header).sign(who.key || SECRET);
}

/* A key pair for asymmetric algorithms: {privateKey, publicKey, publicPem}. */
function keyPair(alg) {
  const make = {
    RS: () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
    PS: () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES: () => crypto.generateKeyPairSync('ec', { namedCurve: alg === 'ES384' ? 'P-384' : 'P-256' }),
    Ed: () => crypto.generateKeyPairSync('ed25519'),
  };
  const { privateKey, publicKey } = make[alg.slice(0, 2)]();
  return { privateKey, publicKey, publicPem: publicKey.export({ type: 'spki', format: 'pem' }) };
}

const KEY_TYPES = { ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'], rsa: ['-newkey', 'rsa:2048'] };

/* How long a certificate is valid; days negative: not any more. From 3.4 on openssl takes times, and then no negative days. */
function validity(days) {
  if (days >= 0) return ['-days', String(days)];
  const [major, minor] = execFileSync('openssl', ['version']).toString().match(/\d+/g).map(Number);
  return major > 3 || (major === 3 && minor >= 4)
    ? ['-not_before', '20240101000000Z', '-not_after', '20240102000000Z']
    : ['-days', String(days)];
}

/* A self-signed certificate: {certificate, key} file names. options: {days (negative: expired), name, cn, type}. */
function certificate(dir, options = {}) {
  const name = options.name || 'server';
  const files = { certificate: path.join(dir, `${name}.crt`), key: path.join(dir, `${name}.key`) };
  const request = `${files.key}.csr`;
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'ignore' });
  openssl('req', ...KEY_TYPES[options.type || 'ec'], '-nodes', '-keyout', files.key, '-out', request, '-subj',
    `/CN=${options.cn || 'localhost'}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  openssl('x509', '-req', '-in', request, '-signkey', files.key, ...validity(options.days || 2), '-copy_extensions', 'copy',
    '-out', files.certificate);
  return files;
}

/* A certificate authority: {ca (file name), sign}. sign(name, {days, cn, san}) gives {certificate, key} file names. */
function authority(dir, name = 'authority') {
  const own = { certificate: path.join(dir, `${name}.crt`), key: path.join(dir, `${name}.key`) };
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'ignore' });
  openssl('req', '-x509', ...KEY_TYPES.ec, '-nodes', '-days', '2', '-keyout', own.key, '-out', own.certificate, '-subj', `/CN=${name}`);
  const sign = (what, { days = 2, cn = what, san = 'DNS:localhost,IP:127.0.0.1' } = {}) => {
    const files = { certificate: path.join(dir, `${what}.crt`), key: path.join(dir, `${what}.key`) };
    openssl('req', ...KEY_TYPES.ec, '-nodes', '-keyout', files.key, '-out', `${files.key}.csr`, '-subj', `/CN=${cn}`, '-addext', `subjectAltName=${san}`);
    openssl('x509', '-req', '-in', `${files.key}.csr`, '-CA', own.certificate, '-CAkey', own.key, '-CAcreateserial', ...validity(days),
      '-copy_extensions', 'copy', '-out', files.certificate);
    return files;
  };
  return { ca: own.certificate, sign };
}

module.exports = { SECRET, authority, certificate, keyPair, token };
