import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { compressedFiles } from './build/compressed-files.ts';
import { indexPage } from './build/index-page.ts';
import { offlineShell } from './build/offline-shell.ts';
import { output } from './build/output.ts';
import { secondScript } from './build/second-script.ts';
import { startupImages } from './build/startup-images.ts';

const clientLibrary = fileURLToPath(new URL('../client-wasm/pkg/leadlog_client.js', import.meta.url));
if (!existsSync(clientLibrary)) {
  throw new Error(`${clientLibrary} is missing: build the device library first, with "cargo xtask wasm"`);
}

export default defineConfig({
  plugins: [svelte(), secondScript(), indexPage(), startupImages(), offlineShell(), compressedFiles()],
  resolve: {
    alias: { 'leadlog-client': clientLibrary },
  },
  build: {
    ...output,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // What changes more rarely than the app itself has a file of its own, which an update does not fetch again.
          // What reads QR codes comes with the scanner alone (src/connect/decoder.ts).
          groups: [{ name: 'libraries', test: /[\\/](?:node_modules(?![\\/]qr[\\/])|client-wasm)[\\/]/ }],
        },
      },
    },
  },
  server: {
    // The library stands beside this folder.
    fs: { allow: ['..'] },
    proxy: { '/api': 'http://127.0.0.1:8080', '/oauth': 'http://127.0.0.1:8080' },
  },
});
