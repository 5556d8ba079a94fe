import { setTimeout as wait } from 'node:timers/promises';

/** Far beyond what anything takes, on a machine that is busy too. */
const TIMEOUT_MS = 60_000;
const POLL_MS = 30;

/**
 * Asks again and again until the answer is truthy, and returns it. What cannot be asked yet (a page that loads) is
 * asked again. `what` says in words what did not come; a function may look for them when it is too late.
 */
export async function until(ask, what, timeoutMs = TIMEOUT_MS) {
  const deadline = Date.now() + timeoutMs;
  let failure;
  while (Date.now() < deadline) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      failure = error;
    }
    await wait(POLL_MS);
  }
  const words = typeof what === 'function' ? await what() : what;
  throw new Error(`${words} did not come within ${timeoutMs} ms${failure ? `; last error: ${failure.message}` : ''}`);
}
