import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import type { Precache, PrecachedFile } from '../src/precache.ts';

const WORKER = 'sw.js';

/**
 * Builds `src/service-worker.ts` to `/sw.js` and writes into it the list of every file of the build
 * with its digest. The list is part of the worker, so the browser sees a new worker exactly when a
 * byte of the app has changed.
 */
export function offlineShell(): Plugin {
  let publicDir = '';

  return {
    name: 'leadlog:offline-shell',
    apply: 'build',
    enforce: 'post',
    configResolved(config) {
      publicDir = config.publicDir;
    },
    buildStart() {
      this.emitFile({
        type: 'chunk',
        id: fileURLToPath(new URL('../src/service-worker.ts', import.meta.url)),
        fileName: WORKER,
      });
    },
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const worker = bundle[WORKER];
        if (worker?.type !== 'chunk') throw new Error(`the build made no ${WORKER}`);
        if (worker.imports.length > 0) throw new Error(`${WORKER} must stand alone, but imports ${worker.imports.join(', ')}`);

        const files = new Map<string, string | Uint8Array>();
        for (const [name, output] of Object.entries(bundle)) {
          if (name !== WORKER) files.set(name, output.type === 'chunk' ? output.code : output.source);
        }
        for (const name of filesBelow(publicDir)) files.set(name, readFileSync(join(publicDir, name)));
        if (!files.has('index.html')) throw new Error('the build made no index.html');

        worker.code = worker.code.replaceAll('__PRECACHE__', JSON.stringify(describe(files, worker.code)));
      },
    },
  };
}

/** The version names the worker too: two different ones must never share a cache. */
function describe(contents: Map<string, string | Uint8Array>, worker: string): Precache {
  const files: PrecachedFile[] = [...contents]
    .map(([name, content]) => ({
      path: name === 'index.html' ? '/' : `/${name}`,
      integrity: `sha256-${createHash('sha256').update(content).digest('base64')}`,
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  const version = createHash('sha256').update(JSON.stringify(files)).update(worker).digest('hex').slice(0, 16);
  return { version, files };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1).replaceAll('\\', '/'));
}
