import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Provider as OidcProvider } from 'oidc-provider';
import { RETURN_PATH } from './sign-in.js';

/** Whoever is not among them has none. */
const ROLES = { 'Ewa Szef': ['organize'] };

/** What servers ask for, and no browser. */
const SERVER_PATHS = /^\/(token|jwks|me|\.well-known\/.*)$/;

const newKey = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  alg: 'RS256',
  use: 'sig',
});

const page = (uid) => `<!doctype html><html lang="pl"><title>Logowanie</title>
<form method="post" action="/interaction/${uid}/login"><label>Kto? <input name="name"></label><button>Dalej</button></form>
<a href="/interaction/${uid}/abort">Przerwij</a>`;

/**
 * A real OpenID Connect provider, on a loopback port of its own, whose people say who they are and nothing else. Its client
 * `leadlog` must show PKCE. As a rule it is public, and ID tokens carry `name` and `roles`; with a `secret` it must show that,
 * too, and what people are called and may do is said at the userinfo endpoint alone.
 */
export class Provider {
  issuer;
  /** The authorization requests, oldest first: what the app has asked for. */
  requests = [];
  /** Whether people reach it, and the server does not. */
  isAway = false;
  /** How long ago those who sign in did so in truth: who did not ask for a login of its own finds that of somebody else. */
  loginAgeSeconds = 0;
  /** Whether the userinfo endpoint fails. */
  hasNoUserinfo = false;
  #server = createServer();
  #returnTo;
  #secret;

  static async start({ secret } = {}) {
    const provider = new Provider();
    provider.#secret = secret;
    const server = provider.#server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    provider.issuer = `http://127.0.0.1:${server.address().port}`;
    provider.#serve();
    return provider;
  }

  /** Signs by another key from here on, and names no other. */
  changeKey() {
    this.#server.removeAllListeners('request');
    this.#serve();
  }

  /** Sends people back to the app at this address, and to no other. */
  trust(appUrl) {
    this.#returnTo = appUrl + RETURN_PATH;
  }

  #serve() {
    const oidc = new OidcProvider(this.issuer, {
      clients: [
        {
          client_id: 'leadlog',
          ...(this.#secret ? { client_secret: this.#secret, token_endpoint_auth_method: 'client_secret_basic' } : { token_endpoint_auth_method: 'none' }),
          grant_types: ['authorization_code'],
          response_types: ['code'],
          redirect_uris: [`http://127.0.0.1${RETURN_PATH}`],
        },
      ],
      jwks: { keys: [newKey()] },
      pkce: { required: () => true },
      claims: { openid: ['sub'], profile: ['name', 'roles'] },
      // Whether they are at the userinfo endpoint alone.
      conformIdTokenClaims: this.#secret !== undefined,
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      cookies: { keys: ['of this test'] },
      ttl: { Interaction: 600, Grant: 600, Session: 600, IdToken: 600, AccessToken: 600, AuthorizationCode: 60 },
      findAccount: (_context, id) => ({
        accountId: id,
        claims: () => ({ sub: Buffer.from(id).toString('hex'), name: id, roles: ROLES[id] ?? [] }),
      }),
      // Nobody is asked whether the app may know a name.
      loadExistingGrant: async ({ oidc: { client, session, provider } }) => {
        const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
        grant.addOIDCScope('openid profile');
        await grant.save();
        return grant;
      },
    });
    // The app starts after the provider that it is told of.
    oidc.Client.prototype.redirectUriAllowed = (uri) => uri === this.#returnTo;
    const answer = oidc.callback();
    this.#server.on('request', (request, response) => {
      const url = new URL(request.url, this.issuer);
      if (this.isAway && SERVER_PATHS.test(url.pathname)) return request.destroy();
      if (this.hasNoUserinfo && url.pathname === '/me') return response.writeHead(403, { 'content-type': 'application/json' }).end('{"error":"access_denied"}');
      if (url.pathname === '/auth') this.requests.push(Object.fromEntries(url.searchParams));
      const [, root, uid, act] = url.pathname.split('/');
      if (root !== 'interaction') return answer(request, response);
      this.#interact(oidc, uid, act, request, response).catch((error) => response.writeHead(500).end(String(error)));
    });
  }

  async #interact(oidc, uid, act, request, response) {
    if (act === 'login') {
      let body = '';
      for await (const chunk of request) body += chunk;
      const accountId = new URLSearchParams(body).get('name');
      return oidc.interactionFinished(request, response, { login: { accountId, remember: false, ts: Math.floor(Date.now() / 1000) - this.loginAgeSeconds } });
    }
    if (act === 'abort') return oidc.interactionFinished(request, response, { error: 'access_denied' });
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(uid));
  }

  /** With which a server lets its people in. */
  get serverArguments() {
    return ['--oidc-issuer', this.issuer, '--oidc-client-id', 'leadlog', '--oidc-scopes-claim', 'roles'];
  }

  async stop() {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
