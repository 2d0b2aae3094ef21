'use strict';
/* Tokens and keys of real identity providers: oauth2-mock-server and oidc-provider. */
const assert = require('node:assert');
const http = require('node:http');
const { test } = require('node:test');
const jose = require('jose');
const { OAuth2Server } = require('oauth2-mock-server');
const h = require('./harness');

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

function keyed(t, auth) {
  return h.daemon(t, { config: { auth: { algorithms: ALGORITHMS, keys: [], ...auth } } });
}

test('oauth2-mock-server', async (t) => {
  const server = new OAuth2Server();
  for (const alg of ALGORITHMS) await server.issuer.keys.generate(alg, { kid: alg });
  await server.start(0, '127.0.0.1');
  h.cleanup(t, () => server.stop());
  const url = `http://127.0.0.1:${server.address().port}`;
  server.issuer.url = url;
  const d = await keyed(t, { issuer: url, audience: 'editor', jwks: { url: `${url}/jwks`, cooldown: '100ms' } });
  const issue = (kid, claims) => server.issuer.buildToken({
    kid, scopesOrTransform: (header, payload) => Object.assign(payload, { sub: 'ann', aud: 'editor', name: 'Anna Berg', ...claims }),
  });
  for (const kid of ALGORITHMS) {
    for (const inHeader of [false, true]) {
      const client = await d.client({ token: await issue(kid, { roles: ['lock-admin'] }), inHeader });
      assert.deepStrictEqual([client.welcome.userId, client.welcome.username, client.welcome.admin], ['ann', 'Anna Berg', true], kid);
      await h.take(client, `document:${kid.toLowerCase()}-${inHeader}`);
      await client.close(1000);
    }
    for (const claims of [{ aud: 'another' }, { iss: 'https://evil.example.org' }]) {
      const client = await (await d.newClient({ silent: true })).start();
      await h.refused(client, 'auth', { token: await issue(kid, claims) }, 'TOKEN_INVALID');
    }
  }
  for (const alg of ALGORITHMS) { // of this moment: the daemon does not know it
    await server.issuer.keys.generate(alg, { kid: `${alg}-2` });
    await d.client({ token: await issue(`${alg}-2`, { sub: alg }) });
  }
});

/* An access token by the client credentials grant: its `sub` is the client. */
async function grant(url, client) {
  const response = await fetch(`${url}/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from(`${client}:secret`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: 'urn:editor' }),
  });
  const body = await response.json();
  assert.strictEqual(response.status, 200, JSON.stringify(body));
  return body.access_token;
}

async function oidcProvider(t) {
  const { default: Provider } = await import('oidc-provider');
  const port = await h.freePort();
  const url = `http://127.0.0.1:${port}`;
  const keys = [];
  for (const alg of ALGORITHMS) {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    keys.push({ ...(await jose.exportJWK(privateKey)), kid: alg, alg, use: 'sig' });
  }
  const provider = new Provider(url, {
    jwks: { keys },
    cookies: { keys: ['of no use here'] },
    clients: ALGORITHMS.map((alg) => ({
      client_id: `service-${alg}`, client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    })),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource, client) => ({
          scope: '', audience: 'editor', accessTokenFormat: 'jwt', jwt: { sign: { alg: client.clientId.slice('service-'.length) } },
        }),
      },
    },
  });
  const server = http.createServer(provider.callback());
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  h.cleanup(t, () => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  }));
  return url;
}

test('oidc-provider', async (t) => {
  const url = await oidcProvider(t);
  const { jwks_uri: jwksUri } = await (await fetch(`${url}/.well-known/openid-configuration`)).json();
  const d = await keyed(t, { issuer: url, audience: 'editor', jwks: { url: jwksUri } });
  for (const alg of ALGORITHMS) {
    const token = await grant(url, `service-${alg}`);
    assert.deepStrictEqual([jose.decodeProtectedHeader(token).alg, jose.decodeProtectedHeader(token).typ], [alg, 'at+jwt']);
    for (const inHeader of [false, true]) {
      const client = await d.client({ token, inHeader });
      assert.strictEqual(client.welcome.userId, `service-${alg}`);
      await h.take(client, `document:${alg.toLowerCase()}-${inHeader}`);
      await client.close(1000);
    }
    const [head, payload, signature] = token.split('.');
    const forged = await (await d.newClient({ silent: true })).start();
    const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url')), sub: 'admin' })).toString('base64url');
    await h.refused(forged, 'auth', { token: `${head}.${other}.${signature}` }, 'TOKEN_INVALID');
  }
});
