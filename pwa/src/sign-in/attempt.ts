/**
 * A sign-in on its way: what must come back from the provider, and what only this page can show for it.
 *
 * It is kept while the person is at the provider, in local storage: an app on the home screen may lose what belongs to its
 * tab. Each has a name of its own, so that two tabs do not disturb each other, and counts once.
 */

/** Who signs in: the person who captures on this iPad, or an organizer. Neither changes the other. */
export type Purpose = 'operator' | 'office';

export interface Attempt {
  readonly purpose: Purpose;
  /** Comes back as it was sent; says that the answer is to a question of this page. */
  readonly state: string;
  /** Of PKCE (RFC 7636): without it nobody can use the code. */
  readonly verifier: string;
  /** Stands in the ID token, which so belongs to this attempt alone. */
  readonly nonce: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const PREFIX = 'leadlog.sign-in.';
/** Who takes longer begins anew. */
export const MAX_ATTEMPT_AGE_MS = 10 * 60_000;

export function beginAttempt(purpose: Purpose, now = Date.now()): Attempt {
  const attempt = { purpose, state: random(), verifier: random(), nonce: random(), at: now };
  localStorage.setItem(PREFIX + attempt.state, JSON.stringify(attempt));
  return attempt;
}

/** The one that this answer is to, once; `null` when there is none, or it is too old. */
export function takeAttempt(state: string | null, now = Date.now()): Attempt | null {
  const name = PREFIX + state;
  const attempt = read(name, now);
  localStorage.removeItem(name);
  return attempt;
}

/** Forgets those that nobody came back from in time. */
export function forgetOldAttempts(now = Date.now()): void {
  const names = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  for (const name of names) if (!read(name, now)) localStorage.removeItem(name);
}

/** What is sent in place of the verifier: its SHA-256. */
export async function challengeOf(verifier: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))));
}

function read(name: string, now: number): Attempt | null {
  try {
    const attempt = JSON.parse(localStorage.getItem(name) ?? 'null') as Attempt | null;
    // A clock that was set tells nothing about the age.
    return attempt && Math.abs(now - attempt.at) <= MAX_ATTEMPT_AGE_MS ? attempt : null;
  } catch {
    return null;
  }
}

/** 256 bits. */
export function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
