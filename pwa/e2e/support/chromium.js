import { existsSync } from 'node:fs';

/** Quiet and sandbox-free: tests run as root in containers too. */
export const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const USUAL_PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Path of the browser: `CHROMIUM`, or the first of the usual places. */
export function findChromium() {
  const path = process.env.CHROMIUM ?? USUAL_PLACES.find((place) => existsSync(place));
  if (!path) throw new Error('no Chromium found: install it (Debian: apt-get install chromium) or set CHROMIUM to its path');
  return path;
}
