import type * as Screens from './screens';
import { type Language, words } from './i18n/words.svelte';

/** Where the build has put `screens.ts`, and which bytes it is (build/second-script.ts). */
declare const __SCREENS__: { readonly url: string; readonly integrity?: string };

/** Longer than any network that is worth waiting for; one that hangs must not hold up what comes after. */
const FETCH_TIMEOUT_MS = 20_000;

/**
 * What the form does without: the other screens, and the words of them and of the other language.
 *
 * The page asks for it by itself as soon as the form stands, not when somebody taps: by then the network may be
 * gone, or a newer version may have taken the place of the file. Where it did not come, the form works on, and the next tap
 * asks again.
 */
class SecondScript {
  content = $state.raw<typeof Screens | null>(null);
  #coming: Promise<typeof Screens | null> | undefined;

  /** Waits for it; `null` when it does not come now. Never rejects. */
  load(): Promise<typeof Screens | null> {
    this.#coming ??= fetchScreens().then(
      (screens) => {
        words.learn(screens.catalogues);
        return (this.content = screens);
      },
      (reason) => {
        console.warn('The other screens have not come:', reason);
        this.#coming = undefined;
        return null;
      },
    );
    return this.#coming;
  }
}

export const secondScript = new SecondScript();

/** Speaks another language, as soon as its words are here. */
export async function speak(language: Language): Promise<void> {
  if (language === words.language || (await secondScript.load())) words.language = language;
}

async function fetchScreens(): Promise<typeof Screens> {
  const { url, ...expected } = __SCREENS__;
  // Safari remembers for as long as the page lives that a module did not come, and never asks for it again. So it is
  // imported only when the browser's cache has it, whole and as it was built.
  await fetch(url, { ...expected, cache: 'reload', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  return import('./screens');
}
