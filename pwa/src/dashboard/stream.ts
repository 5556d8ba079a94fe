import { createParser } from 'eventsource-parser';
import { refusalOf } from '../sign-in/store';
import { readReport, type Report } from './report';

/** The server says something at least every 15 seconds. */
const SILENCE_LIMIT_MS = 40_000;
/** Of a stream that may be asked at any time whether it is alive: one word of the server was missed. */
const SUSPICIOUS_SILENCE_MS = 20_000;
/** A stream that ends is followed by another one. Only when that one does not come within this time, there is none. */
const GRACE_MS = 4_000;
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 15_000;

export interface Listener {
  onreport: (report: Report) => void;
  /** The server is not heard any more, since this moment of `performance.now()`; told again and again. The next report says that it is. */
  onlost: (since: number) => void;
  /** `stale`: the token does not count any more. `refused`: it does, and not for this. Nothing comes after it. */
  onrefused: (why: 'stale' | 'refused') => void;
}

/**
 * The reports of the server, for as long as it is followed.
 *
 * Not an `EventSource`, which cannot send the token. What it promises:
 * - A stream that ends, breaks or falls silent is followed by another one, after a second at first and then less and less
 *   often, at least every 15 seconds; at once with `hurry`.
 * - Whoever listens hears of a loss when it is one: not when the server ends a stream that has become old.
 * - Only an answer of the server itself ends it: the page to sign in to a venue's WiFi may answer with any status.
 */
export class Stream {
  readonly #token: string;
  readonly #listener: Listener;
  #attempt = new AbortController();
  #waitMs = MIN_WAIT_MS;
  #heardAt = performance.now();
  /** Since when something should have been heard. */
  #watchedAt = performance.now();
  #isStopped = false;
  #isHurried = false;
  #wake: (() => void) | null = null;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #grace: ReturnType<typeof setTimeout> | undefined;

  constructor(token: string, listener: Listener) {
    this.#token = token;
    this.#listener = listener;
  }

  async follow(): Promise<void> {
    while (!this.#isStopped) {
      this.#isHurried = false;
      this.#attempt = new AbortController();
      this.#expect();
      try {
        await this.#listen(this.#attempt.signal);
      } catch (reason) {
        if (!this.#attempt.signal.aborted) console.warn('The live reports have stopped:', reason);
      }
      // Whoever answered something else may go on and on.
      this.#attempt.abort();
      clearTimeout(this.#watch);
      this.#expect();
      if (!this.#isStopped && !this.#isHurried) await this.#rest();
    }
    clearTimeout(this.#grace);
  }

  /** There may be a way again, or what seems to be one may be none any more. `isSure`: whatever was open is none. */
  hurry(isSure = false): void {
    if (!this.#wake && !isSure && performance.now() - this.#watchedAt < SUSPICIOUS_SILENCE_MS) return;
    this.#isHurried = true;
    this.#waitMs = MIN_WAIT_MS;
    this.#attempt.abort();
    this.#wake?.();
  }

  stop(): void {
    this.#isStopped = true;
    this.#attempt.abort();
    this.#wake?.();
  }

  async #listen(signal: AbortSignal): Promise<void> {
    this.#watchFor();
    const headers = { accept: 'text/event-stream', authorization: `Bearer ${this.#token}` };
    const response = await fetch('/api/live', { headers, cache: 'no-store', credentials: 'omit', signal });
    if (!response.ok) return this.#refuse(response);
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
    if (!isStream || !response.body) throw new Error('the answer is not of the server');
    const text = new TextDecoder();
    const parser = createParser({ onEvent: ({ event, data }) => event === 'report' && this.#tell(readReport(data)) });
    const reader = response.body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      this.#heardAt = performance.now();
      this.#watchFor();
      parser.feed(text.decode(read.value, { stream: true }));
    }
  }

  #tell(report: Report): void {
    if (this.#isStopped) return;
    this.#waitMs = MIN_WAIT_MS;
    clearTimeout(this.#grace);
    this.#grace = undefined;
    this.#listener.onreport(report);
  }

  async #refuse(response: Response): Promise<void> {
    const refusal = await refusalOf(response);
    const isServers = refusal.code !== 'unreachable';
    if (!isServers || ![401, 403].includes(response.status)) throw refusal;
    if (this.#isStopped) return;
    this.stop();
    this.#listener.onrefused(response.status === 401 ? 'stale' : 'refused');
  }

  #watchFor(): void {
    this.#watchedAt = performance.now();
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      this.#lose();
      this.#attempt.abort();
    }, SILENCE_LIMIT_MS);
  }

  /** A report must come soon. */
  #expect(): void {
    if (!this.#isStopped) this.#grace ??= setTimeout(() => this.#lose(), GRACE_MS);
  }

  #lose(): void {
    if (!this.#isStopped) this.#listener.onlost(this.#heardAt);
  }

  async #rest(): Promise<void> {
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(waitMs * 2, MAX_WAIT_MS);
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, waitMs);
    });
    clearTimeout(timer);
    this.#wake = null;
  }
}
