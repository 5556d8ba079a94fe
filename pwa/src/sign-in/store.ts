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
 * the message says why. `code`: the invitation does not count. `busy`: too many tries. `unavailable`: the server answers that it
 * cannot now; the message says why. `unreachable`: nobody answers.
 */
export class SignInError extends Error {
  constructor(
    readonly code: 'denied' | 'provider' | 'stale' | 'refused' | 'code' | 'busy' | 'unavailable' | 'unreachable',
    message = '',
  ) {
    super(message);
  }
}

/** The server asks the provider meanwhile, and waits five seconds for it. */
const FIND_TIMEOUT_MS = 7_000;
const SIGN_IN_TIMEOUT_MS = 20_000;

const PROBLEM = 'urn:leadlog:problem:';
const REFUSALS = {
  'sign-in-refused': 'refused',
  'insufficient-scope': 'refused',
  'invalid-code': 'code',
  'invalid-token': 'stale',
  'too-many-requests': 'busy',
} as const;

/** The provider, if there is one and the server says so in time. */
export function findProvider(): Promise<Provider | null> {
  return askForProvider().catch(() => null);
}

/** The provider; `null` where the server was told of none. Rejects with `SignInError`. */
export async function askForProvider(): Promise<Provider | null> {
  // Over plain HTTP the browser computes no SHA-256, and a code would not be safe.
  if (!crypto.subtle) return null;
  const { provider } = await ask('/api/sign-in', { cache: 'no-store' }, FIND_TIMEOUT_MS);
  return (provider as Provider | null | undefined) ?? null;
}

/** Shows the server what the provider gave. Rejects with `SignInError`. */
export function exchange(code: string, { verifier, nonce }: Attempt, redirectUri: string): Promise<SignedIn> {
  return post('/api/sign-in', { code, codeVerifier: verifier, nonce, redirectUri });
}

/** Why the server did not do what it was asked, by its answer: also one that a portal has given in its place. */
export async function refusalOf(response: Response): Promise<SignInError> {
  const problem: { type?: unknown; detail?: unknown } | null = await response.json().catch(() => null);
  const type = String(problem?.type);
  if (!type.startsWith(PROBLEM)) return new SignInError('unreachable', `status ${response.status}`);
  const detail = typeof problem?.detail === 'string' ? problem.detail : '';
  const refusal = Object.entries(REFUSALS).find(([name]) => type === PROBLEM + name);
  return new SignInError(refusal?.[1] ?? 'unavailable', detail);
}

/** Rejects with `SignInError`. */
export async function post(path: string, body: object): Promise<SignedIn> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = (await ask(path, init, SIGN_IN_TIMEOUT_MS)) as Partial<SignedIn>;
  // A portal may answer anything with 200.
  if (typeof answer.person?.name === 'string' && Number(answer.expiresIn) > 0) return answer as SignedIn;
  throw new SignInError('unreachable', 'the answer is not of the server');
}

async function ask(path: string, init: RequestInit, timeoutMs: number): Promise<Record<string, unknown>> {
  try {
    const response = await fetch(path, { ...init, credentials: 'omit', signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) throw await refusalOf(response);
    return await response.json();
  } catch (reason) {
    throw reason instanceof SignInError ? reason : new SignInError('unreachable', String(reason));
  }
}
