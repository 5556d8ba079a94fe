// Draws the PNG icons from icons/leadlog.svg. Run by hand after a change of the drawing:
// `npm run icons`; the files are checked in.
import { readFileSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { CHROMIUM_FLAGS, findChromium } from '../e2e/support/chromium.js';

const SIZES = [180, 192, 512];
const icons = new URL('../public/icons/', import.meta.url);
const drawing = readFileSync(new URL('leadlog.svg', icons), 'utf8');

const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS });
for (const size of SIZES) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>body { margin: 0 } svg { display: block }</style>${drawing}`);
  writeFileSync(new URL(`leadlog-${size}.png`, icons), await page.screenshot());
}
await browser.close();
