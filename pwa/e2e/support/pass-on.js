/** Passes on what either connection says to the other, until one of them ends. */
export function passOn(near, far) {
  near.pipe(far).pipe(near);
  near.on('error', () => far.destroy()).on('close', () => far.destroy());
  far.on('error', () => near.destroy()).on('close', () => near.destroy());
}
