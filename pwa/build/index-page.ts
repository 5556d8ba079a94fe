import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

/**
 * Completes `index.html`: fills `{{key}}` with words of a Polish catalogue, and lets the browser
 * fetch the WASM file, where there is one, while it still reads the script, instead of after.
 */
export function indexPage(catalogue = 'i18n/form/pl.json'): Plugin {
  const file = new URL(`../src/${catalogue}`, import.meta.url);

  return {
    name: 'leadlog:index-page',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const words = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
        const filled = html.replaceAll(/\{\{([\w.]+)\}\}/g, (_, key: string) => {
          const word = words[key];
          if (typeof word !== 'string') throw new Error(`index.html asks for "${key}", which ${catalogue} does not have`);
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
