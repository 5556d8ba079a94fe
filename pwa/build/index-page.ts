import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

/**
 * Completes `index.html`: fills `{{key}}` with words of the Polish catalogue, and lets the browser
 * fetch the WASM file while it still reads the script, instead of after.
 */
export function indexPage(): Plugin {
  const catalogue = new URL('../src/i18n/form/pl.json', import.meta.url);

  return {
    name: 'leadlog:index-page',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const words = JSON.parse(readFileSync(catalogue, 'utf8')) as Record<string, unknown>;
        const filled = html.replaceAll(/\{\{([\w.]+)\}\}/g, (_, key: string) => {
          const word = words[key];
          if (typeof word !== 'string') throw new Error(`index.html asks for "${key}", which form/pl.json does not have`);
          return word;
        });
        const wasm = Object.keys(bundle ?? {}).filter((file) => file.endsWith('.wasm'));
        return {
          html: filled,
          tags: wasm.map((file) => ({
            tag: 'link',
            attrs: { rel: 'preload', as: 'fetch', type: 'application/wasm', crossorigin: '', href: `/${file}` },
            injectTo: 'head',
          })),
        };
      },
    },
  };
}
