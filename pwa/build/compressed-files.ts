import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const COMPRESSIBLE = /\.(?:css|html|js|json|svg|wasm|webmanifest)$/;
/** Smaller ones fit a packet as they are. */
const MIN_BYTES = 1_000;

/**
 * Writes NAME.br and NAME.gz beside each file of the build that gets smaller, as small as they can be: the server
 * sends them as they are, and never has the time to compress as well. They belong to the server alone; nobody
 * asks for them by name, so the service worker's list does not hold them.
 */
export function compressedFiles(): Plugin {
  let outDir = '';

  return {
    name: 'leadlog:compressed-files',
    apply: 'build',
    enforce: 'post',
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !COMPRESSIBLE.test(entry.name)) continue;
        const file = join(entry.parentPath, entry.name);
        const content = readFileSync(file);
        if (content.length < MIN_BYTES) continue;
        for (const [extension, compressed] of [['br', brotli(content)], ['gz', gzipSync(content, { level: 9 })]] as const) {
          if (compressed.length < content.length) writeFileSync(`${file}.${extension}`, compressed);
        }
      }
    },
  };
}

function brotli(content: Buffer): Buffer {
  return brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
}
