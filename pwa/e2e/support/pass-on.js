import { Transform } from 'node:stream';

/** Passes on what either connection says to the other, `delayMs` later, until one of them ends. */
export function passOn(near, far, delayMs = 0) {
  near.pipe(late(delayMs)).pipe(far).pipe(late(delayMs)).pipe(near);
  near.on('error', () => far.destroy()).on('close', () => far.destroy());
  far.on('error', () => near.destroy()).on('close', () => near.destroy());
}

function late(delayMs) {
  return new Transform({ transform: (chunk, _, done) => void setTimeout(done, delayMs, null, chunk) });
}
