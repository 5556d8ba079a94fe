import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const MODULE = fileURLToPath(new URL('../src/screens.ts', import.meta.url));
/** What `src/second-script.svelte.ts` calls it. */
const NAME = '__SCREENS__';
/** Vite wraps each `import()` in it, to fetch the styles and scripts of that import ahead. */
const PRELOAD_HELPER = /^\0vite\/preload-helper/;

/** Tells the first script where the second one is and which bytes it has, and imports it without helpers. */
export function secondScript(): Plugin {
  return {
    name: 'leadlog:second-script',
    enforce: 'pre',
    config: (_config, { command }) => (command === 'serve' ? { define: { [NAME]: { url: '/src/screens.ts' } } } : {}),
    load: {
      filter: { id: PRELOAD_HELPER },
      // There is one style sheet, and nothing to fetch ahead.
      handler: () => 'export const __vitePreload = (load) => load();',
    },
    generateBundle: {
      // After whatever else writes into the scripts.
      order: 'post',
      handler(_options, bundle) {
        const scripts = Object.values(bundle).filter((output) => output.type === 'chunk');
        const second = scripts.find(({ facadeModuleId }) => facadeModuleId === MODULE);
        const first = scripts.find(({ code }) => code.includes(NAME));
        if (!second || !first) throw new Error(`the build made no script of ${MODULE}, or none that asks for it`);
        const integrity = `sha256-${createHash('sha256').update(second.code).digest('base64')}`;
        // What changes the second script changes its name, which stands in the first one, and so the name of that.
        first.code = first.code.replace(NAME, JSON.stringify({ url: `/${second.fileName}`, integrity }));
      },
    },
  };
}
