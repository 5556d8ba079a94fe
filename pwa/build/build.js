// Builds the app and, into a folder of the same output, the dashboard: `npm run build -- --outDir PATH --emptyOutDir`.
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { outDir: { type: 'string', default: 'dist' }, emptyOutDir: { type: 'boolean' } } });
const outDir = resolve(root, values.outDir);

// Vite empties a folder outside of this one only when it is told to.
await build({ root, build: { outDir, ...(values.emptyOutDir && { emptyOutDir: true }) } });
await build({ configFile: join(root, 'vite.dashboard.config.ts'), build: { outDir: join(outDir, 'dashboard') } });
