/** The way to the provider and back (authorization code with PKCE, OpenID Connect Core 3.1). */
import { RETURN_PATH } from './arrival';
import { type Attempt, beginAttempt, challengeOf, type Purpose } from './attempt';
import { exchange, type Provider, type SignedIn, SignInError } from './store';

const redirectUri = () => location.origin + RETURN_PATH;

/** Leaves the app for the provider. What is half-typed stays, and is there when the person comes back. */
export async function goToProvider(provider: Provider, purpose: Purpose): Promise<void> {
  location.assign(await authorizationUrl(provider, beginAttempt(purpose), redirectUri()));
}

export async function authorizationUrl(provider: Provider, attempt: Attempt, returnTo: string): Promise<string> {
  const url = new URL(provider.authorizationEndpoint);
  const parameters = {
    response_type: 'code',
    client_id: provider.clientId,
    redirect_uri: returnTo,
    scope: provider.scope,
    state: attempt.state,
    nonce: attempt.nonce,
    code_challenge: await challengeOf(attempt.verifier),
    code_challenge_method: 'S256',
    // Several people share an iPad: whoever was there before must not be signed in for the next one.
    prompt: 'login',
    // The server looks in the ID token whether it was heeded.
    max_age: '0',
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Signs in with what the provider has sent back. Rejects with `SignInError`. */
export async function complete(answer: URLSearchParams, attempt: Attempt | null): Promise<SignedIn> {
  // Before its error is believed, too: anybody can send a person here with one.
  if (!attempt) throw new SignInError('stale');
  const code = answer.get('code');
  if (code) return exchange(code, attempt, redirectUri());
  const error = answer.get('error') ?? '';
  throw new SignInError(error === 'access_denied' ? 'denied' : 'provider', error);
}
