import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { compressedFiles } from './build/compressed-files.ts';
import { indexPage } from './build/index-page.ts';
import { output } from './build/output.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The dashboard, apart from the app: an iPad that captures loads and keeps nothing of it. `build/build.js` builds both. */
export default defineConfig({
  root: path('src/dashboard'),
  base: '/dashboard/',
  // Icons are the app's.
  publicDir: false,
  plugins: [svelte({ configFile: path('svelte.config.js') }), indexPage('dashboard/words/pl.json'), compressedFiles()],
  build: { ...output, outDir: path('dist/dashboard'), emptyOutDir: true },
});
