import { office } from '../office/office.svelte';
import type { Report } from './report';
import { Stream } from './stream';

/** How often ages are told anew. */
const TICK_MS = 5_000;
/** Between the two clocks of this computer, from one tick to the next. */
const SLEPT_MS = 5_000;

/** What the page knows of the store, and of when. */
class Live {
  report = $state.raw<Report | null>(null);
  /** The server is not heard; then the report is of `asOf`. */
  isLost = $state(false);
  /** This person has not the right. */
  isRefused = $state(false);
  /** By the server's clock, in milliseconds since 1970, and up to when the report holds by the same. */
  now = $state(0);
  asOf = $state(0);
  /** `performance.now()` of the report. */
  #receivedAt = 0;

  /** Follows the server until the function that it answers is called. */
  follow(token: string): () => void {
    const stream = new Stream(token, {
      onreport: (report) => {
        this.report = report;
        this.#receivedAt = performance.now();
        this.isLost = false;
        this.#tick();
      },
      onlost: (since) => {
        if (this.isLost) return;
        this.#tick();
        this.isLost = true;
        if (this.report) this.asOf = this.#serverTime(since);
      },
      onrefused: (why) => {
        this.#forget();
        if (why === 'stale') office.end(true);
        else this.isRefused = true;
      },
    });
    void stream.follow();

    const back = () => document.visibilityState === 'visible' && stream.hurry();
    let clocks = Date.now() - performance.now();
    const timer = setInterval(() => {
      this.#tick();
      const apart = Date.now() - performance.now();
      // In most systems one of them stands still in a computer that sleeps, and connections do not outlive that.
      if (Math.abs(apart - clocks) > SLEPT_MS) stream.hurry(true);
      clocks = apart;
    }, TICK_MS);
    addEventListener('online', back);
    document.addEventListener('visibilitychange', back);
    return () => {
      clearInterval(timer);
      removeEventListener('online', back);
      document.removeEventListener('visibilitychange', back);
      stream.stop();
      this.#forget();
    };
  }

  /** Never by this computer's own clock, which may be wrong. */
  #serverTime(at: number): number {
    return Date.parse(this.report?.at ?? '') + at - this.#receivedAt;
  }

  #tick(): void {
    if (!this.report) return;
    this.now = this.#serverTime(performance.now());
    if (!this.isLost) this.asOf = this.now;
  }

  /** Whoever comes next may be somebody else. */
  #forget(): void {
    this.report = null;
    this.isLost = this.isRefused = false;
  }
}

export const live = new Live();
