// A sign-in on its way: its answer counts once, in time, and only with what this page alone has kept (RFC 7636, OpenID
// Connect Core 3.1.2.1).
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const load = async (file) => (await runnerImport(fileURLToPath(new URL(file, import.meta.url)))).module;
const { beginAttempt, challengeOf, forgetOldAttempts, MAX_ATTEMPT_AGE_MS, takeAttempt } = await load('attempt.ts');
const { authorizationUrl, complete } = await load('provider.ts');

/** As browsers have it: what is stored are its own enumerable properties. */
class MemoryStorage {
  setItem(name, text) {
    this[name] = String(text);
  }
  getItem(name) {
    return this[name] ?? null;
  }
  removeItem(name) {
    delete this[name];
  }
}

beforeEach(() => {
  globalThis.localStorage = new MemoryStorage();
});

test('an answer is to one attempt, once, with the secrets of that one', () => {
  const [hostess, organizer] = [beginAttempt('operator', 1_000), beginAttempt('office', 1_000)];
  assert.equal(new Set([hostess, organizer].flatMap(({ state, verifier, nonce }) => [state, verifier, nonce])).size, 6);
  assert.deepEqual(takeAttempt(organizer.state, 2_000), organizer);
  assert.equal(takeAttempt(organizer.state, 2_000), null);
  assert.deepEqual(takeAttempt(hostess.state, 2_000), hostess);
  assert.deepEqual(Object.keys(localStorage), []);
});

test('whoever comes back too late, without a state, with another one or with rubbish begins anew', () => {
  const { state } = beginAttempt('operator', 1_000);
  localStorage.setItem('leadlog.sign-in.rubbish', '{');
  for (const other of [null, '', 'x', 'rubbish']) assert.equal(takeAttempt(other, 1_000), null, other);
  assert.equal(takeAttempt(state, 1_001 + MAX_ATTEMPT_AGE_MS), null);
  assert.equal(takeAttempt(state, 1_000), null, 'and is not found again');
});

test('what nobody came back from is forgotten, and nothing else', () => {
  const young = beginAttempt('operator', 2_000 + MAX_ATTEMPT_AGE_MS);
  beginAttempt('office', 1_000);
  localStorage.setItem('leadlog.operators', '["Ola"]');
  forgetOldAttempts(2_000 + MAX_ATTEMPT_AGE_MS);
  assert.deepEqual(Object.keys(localStorage).sort(), ['leadlog.operators', `leadlog.sign-in.${young.state}`].sort());
});

test('the provider is shown the digest of the verifier, never the verifier', async () => {
  // The example of RFC 7636, appendix B.
  assert.equal(await challengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'), 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM');
  const attempt = beginAttempt('operator');
  assert.match(attempt.verifier, /^[\w-]{43}$/);
  const provider = { authorizationEndpoint: 'https://login.example/auth?tenant=7', clientId: 'leadlog', scope: 'openid profile' };
  const url = new URL(await authorizationUrl(provider, attempt, 'https://leads.example/signed-in'));
  assert.equal(url.origin + url.pathname, 'https://login.example/auth');
  assert.ok(!url.href.includes(attempt.verifier));
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    tenant: '7',
    response_type: 'code',
    client_id: 'leadlog',
    redirect_uri: 'https://leads.example/signed-in',
    scope: 'openid profile',
    state: attempt.state,
    nonce: attempt.nonce,
    code_challenge: await challengeOf(attempt.verifier),
    code_challenge_method: 'S256',
    prompt: 'login',
    max_age: '0',
  });
});

test('an answer that is to no question is not believed, whatever it says', async () => {
  const attempt = beginAttempt('operator');
  for (const [answer, to, code] of [
    ['code=stolen', null, 'stale'],
    ['error=access_denied', null, 'stale'],
    ['error=access_denied', attempt, 'denied'],
    ['error=server_error', attempt, 'provider'],
    ['', attempt, 'provider'],
  ]) {
    await assert.rejects(complete(new URLSearchParams(answer), to), { code }, answer);
  }
});

test('the server is shown the code with the secrets, and says who it is or why not', async () => {
  globalThis.location = { origin: 'https://leads.example' };
  const attempt = beginAttempt('operator');
  const answered = (status, body) => {
    globalThis.fetch = async (path, { body: sent }) => {
      assert.equal(path, '/api/sign-in');
      const { verifier: codeVerifier, nonce } = attempt;
      assert.deepEqual(JSON.parse(sent), { code: 'c', codeVerifier, nonce, redirectUri: 'https://leads.example/signed-in' });
      return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
    };
    return complete(new URLSearchParams('code=c'), attempt);
  };
  const signedIn = { person: { id: '0123456789abcdef', name: 'Ewa Nowak' }, expiresIn: 43_200 };
  assert.deepEqual(await answered(200, signedIn), signedIn);
  for (const [status, body, code] of [
    [403, { type: 'urn:leadlog:problem:sign-in-refused', detail: 'this person was shut out' }, 'refused'],
    [403, { type: 'about:blank' }, 'unreachable'],
    [429, { type: 'urn:leadlog:problem:too-many-requests' }, 'busy'],
    [429, {}, 'unreachable'],
    [503, { type: 'urn:leadlog:problem:unavailable', detail: 'The provider of identities does not answer.' }, 'unavailable'],
    [404, { type: 'urn:leadlog:problem:not-found' }, 'unavailable'],
    [503, {}, 'unreachable'],
    [502, '<html>', 'unreachable'],
    [200, {}, 'unreachable'],
    [200, '<html>Welcome to the WiFi</html>', 'unreachable'],
  ]) {
    await assert.rejects(answered(status, body), { code }, `${status} ${JSON.stringify(body)}`);
  }
});
