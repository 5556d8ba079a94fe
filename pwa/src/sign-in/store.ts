/** What the server is asked about people. An iPad that captures asks none of it before a Save. */
import type { Attempt } from './attempt';

/** Where people sign in (OpenID Connect). */
export interface Provider {
  readonly authorizationEndpoint: string;
  readonly clientId: string;
  readonly scope: string;
}

/** Who has signed in. */
export interface SignedIn {
  readonly person: { readonly id: string; readonly name: string };
  /** Seconds that the session lasts, and the token. */
  readonly expiresIn: number;
  /** For the exports; absent for whoever needs none. */
  readonly accessToken?: string;
  /** With spaces between. */
  readonly scope?: string;
}

/**
 * Why nobody was signed in. `denied`: the person has said no at the provider. `provider`: the provider could not.
 * `stale`: the answer is to no question of this page, or to an old one. `refused`: the server does not let this person in;
 * the message says why. `code`: the invitation does not count. `busy`: too many tries. `unreachable`: nobody answers.
 */
export class SignInError extends Error {
  constructor(
    readonly code: 'denied' | 'provider' | 'stale' | 'refused' | 'code' | 'busy' | 'unreachable',
    message = '',
  ) {
    super(message);
  }
}

/** Nobody waits longer to be offered a sign-in. */
const FIND_TIMEOUT_MS = 2_000;
const SIGN_IN_TIMEOUT_MS = 20_000;

const REFUSALS = {
  'urn:leadlog:problem:sign-in-refused': 'refused',
  'urn:leadlog:problem:invalid-code': 'code',
} as const;

/** The provider, if there is one and the server says so in time. */
export async function findProvider(): Promise<Provider | null> {
  // Over plain HTTP the browser computes no SHA-256, and a code would not be safe.
  if (!crypto.subtle) return null;
  try {
    const response = await fetch('/api/sign-in', { cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(FIND_TIMEOUT_MS) });
    return response.ok ? ((await response.json()).provider ?? null) : null;
  } catch {
    return null;
  }
}

/** Shows the server what the provider gave. Rejects with `SignInError`. */
export function exchange(code: string, { verifier, nonce }: Attempt, redirectUri: string): Promise<SignedIn> {
  return post('/api/sign-in', { code, codeVerifier: verifier, nonce, redirectUri });
}

/** Uses an invitation up. Rejects with `SignInError`. */
export function redeem(code: string): Promise<SignedIn> {
  return post('/api/sign-in/invitation', { code });
}

async function post(path: string, body: object): Promise<SignedIn> {
  try {
    const response = await fetch(path, {
      method: 'POST',
      credentials: 'omit',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(SIGN_IN_TIMEOUT_MS),
    });
    const answer = await response.json();
    // A portal may answer anything with 200.
    if (response.ok && typeof answer.person?.name === 'string' && answer.expiresIn > 0) return answer;
    throw refusal(response.status, answer);
  } catch (reason) {
    throw reason instanceof SignInError ? reason : new SignInError('unreachable', String(reason));
  }
}

function refusal(status: number, problem: { type?: string; detail?: string }): SignInError {
  const code = Object.entries(REFUSALS).find(([type]) => status === 403 && type === problem.type)?.[1];
  return new SignInError(code ?? (status === 429 ? 'busy' : 'unreachable'), problem.detail);
}
