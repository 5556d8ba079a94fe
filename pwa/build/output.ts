import type { BuildOptions } from 'vite';

/** What holds for everything that is built here. */
export const output: BuildOptions = {
  // iOS 16.4 is the floor: the first with home-screen web apps as we need them.
  target: 'safari16.4',
  // No `data:` URLs: a strict Content-Security-Policy forbids them.
  assetsInlineLimit: 0,
  // One for all screens: a script that is here must not wait for a style that is not.
  cssCodeSplit: false,
  // A polyfill for browsers below the floor.
  modulePreload: { polyfill: false },
  reportCompressedSize: false,
};
