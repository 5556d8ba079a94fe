import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { temporaryFolder } from './server.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * The same tree under another build id, which the page then carries: `document.documentElement.dataset.build`.
 * Returns its folder, and how to remove it.
 */
export async function buildAgain(id) {
  const folder = temporaryFolder('build');
  const marked = {
    name: 'leadlog:build-id',
    transform: (code, file) =>
      file.endsWith('/src/main.ts') ? `${code}\ndocument.documentElement.dataset.build = ${JSON.stringify(id)};` : undefined,
  };
  await build({ root: ROOT, logLevel: 'error', plugins: [marked], build: { outDir: folder.path, emptyOutDir: true } });
  return folder;
}
