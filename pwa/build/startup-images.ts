import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'vite';
import { ballPalette, type Colour, drawBall } from './ball.ts';
import { palettePng } from './png.ts';

/** Screens of iPads, in points, held upright. All have two pixels to a point. */
const SCREENS = [
  [744, 1133],
  [768, 1024],
  [810, 1080],
  [820, 1180],
  [834, 1112],
  [834, 1194],
  [834, 1210],
  [1024, 1366],
  [1032, 1376],
] as const;
const PIXELS_PER_POINT = 2;
const FOLDER = 'startup';

/** Of the shorter side. */
const BALL_SHARE = 0.2;

/** As in `src/design/tokens.css`. */
const ACCENT: Colour = [0xff, 0x8a, 0x2b];
const ON_ACCENT: Colour = [0x15, 0x11, 0x0d];
const GROUNDS: Record<'dark' | 'light', Colour> = { dark: [0x11, 0x13, 0x15], light: [0xf6, 0xf3, 0xed] };

interface StartupImage {
  readonly href: string;
  readonly media: string;
  readonly ground: Colour;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
}

/**
 * What an iPad shows from the tap on the icon until the page has drawn itself; where it has no picture of exactly its
 * screen, it shows a white sheet in the dark hall. iOS alone asks for them, when the app is put on the home screen,
 * so they are in nobody's first load and not in the service worker's list.
 */
export function startupImages(): Plugin {
  const images = SCREENS.flatMap(([short, long]) => imagesFor(short, long));
  let outDir = '';

  return {
    name: 'leadlog:startup-images',
    apply: 'build',
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
    },
    transformIndexHtml: {
      // Behind what every browser needs.
      order: 'post',
      handler: () =>
        images.map(({ href, media }) => ({
          tag: 'link',
          attrs: { rel: 'apple-touch-startup-image', href, media },
          injectTo: 'head',
        })),
    },
    // Beside the bundle, of which the service worker's list is made.
    writeBundle() {
      mkdirSync(join(outDir, FOLDER), { recursive: true });
      for (const image of images) writeFileSync(join(outDir, image.href), draw(image));
    },
  };
}

/** Both ways to hold it, in both themes. iOS gives the width and height of an iPad that is held upright, always. */
function imagesFor(short: number, long: number): StartupImage[] {
  return Object.entries(GROUNDS).flatMap(([scheme, ground]) =>
    (['portrait', 'landscape'] as const).map((orientation) => {
      const [width, height] = orientation === 'portrait' ? [short, long] : [long, short];
      return {
        href: `/${FOLDER}/${width}x${height}-${scheme}.png`,
        media: `(device-width:${short}px) and (device-height:${long}px) and (orientation:${orientation}) and (prefers-color-scheme:${scheme})`,
        ground,
        width: width * PIXELS_PER_POINT,
        height: height * PIXELS_PER_POINT,
      };
    }),
  );
}

function draw({ ground, width, height }: StartupImage): Buffer {
  const size = Math.round(Math.min(width, height) * BALL_SHARE);
  const [left, top] = [Math.round((width - size) / 2), Math.round((height - size) / 2)];
  const ball = drawBall(size);
  const pixels = new Uint8Array(width * height);
  for (let row = 0; row < size; row += 1) pixels.set(ball.subarray(row * size, (row + 1) * size), (top + row) * width + left);
  return palettePng(width, pixels, ballPalette(ground, ACCENT, ON_ACCENT));
}
