import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { fake, host, hostError, reset } from './fake-host.js';
import { authenticator, resolver, verifier } from './plugin.js';

const { authenticate } = authenticator;

const REALM = 'https://auth.example/token';
const password = fake({ kind: 'password', user: 'someone' });
const token = fake();

const challenge = (facts) => {
  const params = { realm: REALM, service: 'registry.example', ...facts?.params };
  const usual = { registry: 'registry.example', repository: 'team/app', actions: ['pull', 'push'], attempt: 1 };
  return fake({ scheme: 'bearer', ...usual, ...facts, param: (key) => params[key] });
};
const response = (facts) => fake({ status: 200, takeSecret: token, json: '300', ...facts });

beforeEach(reset);

test('nothing is sent before it is asked for', async () => {
  const answer = fake();
  await authenticate(challenge({ scheme: 'none', offered: password }), answer);
  assert.deepEqual(answer.calls, [['anonymous']]);
});

test('a login is answered with the credential that was offered, once', async () => {
  const answer = fake();
  await authenticate(challenge({ scheme: 'basic', offered: password }), answer);
  assert.deepEqual(answer.calls, [['basic', password]]);
  const again = authenticate(challenge({ scheme: 'basic', offered: password, attempt: 3 }), fake());
  await assert.rejects(again, { payload: { tag: 'denied', val: 'registry.example refused the credential' } });
  const val = 'registry.example wants a login, and there is no credential for it; run: davit login registry.example';
  await assert.rejects(authenticate(challenge({ scheme: 'basic' }), fake()), { payload: { tag: 'denied', val } });
});

test('a token is fetched from the realm with the password', async () => {
  host.response = response();
  const answer = fake();
  await authenticate(challenge({ offered: password }), answer);
  const query = 'service=registry.example&scope=repository%3Ateam%2Fapp%3Apull%2Cpush&account=someone&client_id=davit';
  assert.deepEqual(host.requests, [[['GET', `${REALM}?${query}`], ['basic', password], ['send']]]);
  assert.deepEqual(answer.calls, [['bearer', token, 295]]);
});

test('a refresh token is sent in a form, and the scope is the one that was asked for', async () => {
  const refresh = fake({ kind: 'identity-token' });
  host.response = response({ takeSecret: (at) => at === '/token' ? notThere() : token, json: undefined });
  const notThere = () => { throw hostError('not-found', 'no text there'); };
  const answer = fake();
  await authenticate(challenge({ offered: refresh, params: { scope: 'a b' } }), answer);
  assert.deepEqual(host.requests[0].slice(0, -2), [
    ['POST', REALM], ['form', 'grant_type', 'refresh_token'], ['form', 'client_id', 'davit'],
    ['form', 'service', 'registry.example'], ['form', 'scope', 'a b'],
  ]);
  assert.deepEqual(answer.calls, [['bearer', token, 55]]);
});

test('what the token server refuses is said', async () => {
  const said = async (facts) => {
    host.response = response(facts);
    const error = await authenticate(challenge(), fake()).catch((thrown) => thrown);
    return error.payload;
  };
  const refused = `the token server ${REALM} refused the credential`;
  assert.deepEqual(await said({ status: 401 }), { tag: 'denied', val: refused });
  assert.deepEqual(await said({ status: 404 }), { tag: 'other', val: `the token server ${REALM} answered 404` });
  const busy = { retryMs: 7000n, message: `the token server ${REALM} answered 503` };
  assert.deepEqual(await said({ status: 503, header: '7' }), { tag: 'unavailable', val: busy });
});

test('an unknown scheme is unsupported, and logged', async () => {
  const refused = authenticate(challenge({ scheme: 'digest' }), fake());
  await assert.rejects(refused, { payload: { tag: 'unsupported', val: 'the authentication scheme "digest"' } });
  assert.deepEqual(host.lines, [['warn', 'registry.example asks for digest']]);
});

test("the site's mirror is asked first, where it names one", async () => {
  const endpoints = fake();
  await resolver.resolve('registry.example', 'team/app', endpoints);
  host.config = { mirror: 'https://mirror.example' };
  await resolver.resolve('registry.example', 'team/app', endpoints);
  assert.deepEqual(endpoints.calls, [['add', 'https://mirror.example', '']]);
});

test('only what is pinned is trusted where the site requires a digest', async () => {
  const manifest = (reference) => fake({ reference, digest: 'sha256:aa' });
  await verifier.verify(manifest('registry.example/app:1'));
  host.config = { digest: 'required' };
  await verifier.verify(manifest('registry.example/app@sha256:aa'));
  const val = 'registry.example/app:1 is not pinned by a digest; it is sha256:aa now';
  await assert.rejects(verifier.verify(manifest('registry.example/app:1')), { payload: { tag: 'denied', val } });
});
