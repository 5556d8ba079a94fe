import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './server.js';

const NO_CERTUTIL = 'no certutil found: install it (Debian: apt-get install libnss3-tools)';

/** A home whose browsers trust these CAs (PEM), and all that browsers trust anyway. Chromium reads it so on Linux alone. */
export function homeThatTrusts(...authorities) {
  const home = temporaryFolder('home');
  const store = join(home.path, '.pki', 'nssdb');
  mkdirSync(store, { recursive: true });
  try {
    execFileSync('certutil', ['-d', `sql:${store}`, '-N', '--empty-password']);
    authorities.forEach((authority, index) => {
      const file = join(home.path, `ca-${index}.pem`);
      writeFileSync(file, authority);
      execFileSync('certutil', ['-d', `sql:${store}`, '-A', '-n', `hub ${index}`, '-t', 'C,,', '-i', file]);
    });
  } catch (error) {
    home.remove();
    throw error.code === 'ENOENT' ? new Error(NO_CERTUTIL) : error;
  }
  return home;
}
