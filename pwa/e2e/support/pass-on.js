import { Transform } from 'node:stream';

/** Passes on what either connection says to the other, `delayMs` later, until one of them ends. */
export function passOn(near, far, delayMs = 0) {
  if (delayMs) near.pipe(late(delayMs)).pipe(far).pipe(late(delayMs)).pipe(near);
  else near.pipe(far).pipe(near);
  near.on('error', () => far.destroy()).on('close', () => far.destroy());
  far.on('error', () => near.destroy()).on('close', () => near.destroy());
}

/** Timers of one length end in the order in which they were begun. */
function late(delayMs) {
  return new Transform({
    transform(chunk, _, done) {
      setTimeout(() => this.push(chunk), delayMs);
      done();
    },
    flush: (done) => void setTimeout(done, delayMs),
  });
}
