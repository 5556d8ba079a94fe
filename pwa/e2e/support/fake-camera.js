import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import encodeQR from 'qr';
import { temporaryFolder } from './server.js';

const WIDTH = 640;
const HEIGHT = 480;
/** Margin included. */
const CODE_SIDE = 360;
const PAPER = 235;
const INK = 16;
const WALL = 110;
const NO_COLOUR = 128;

/** A camera before which somebody holds a QR code: how to start Chromium with it. */
export class FakeCamera {
  #folder = temporaryFolder('camera');

  constructor(text) {
    writeFileSync(this.#film, filmOf(text));
  }

  get flags() {
    // The second answers the browser's question with yes.
    return ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-video-capture=${this.#film}`];
  }

  get #film() {
    return join(this.#folder.path, 'film.y4m');
  }

  remove() {
    this.#folder.remove();
  }
}

/** One picture, which Chromium shows again and again. */
function filmOf(text) {
  const code = encodeQR(text, 'raw', { border: 4 });
  const scale = Math.floor(CODE_SIDE / code.length);
  const side = scale * code.length;
  const [left, top] = [(WIDTH - side) >> 1, (HEIGHT - side) >> 1];
  const light = Buffer.alloc(WIDTH * HEIGHT, WALL);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      light[(top + y) * WIDTH + left + x] = code[Math.floor(y / scale)][Math.floor(x / scale)] ? INK : PAPER;
    }
  }
  const colour = Buffer.alloc((WIDTH * HEIGHT) / 2, NO_COLOUR);
  return Buffer.concat([Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\nFRAME\n`), light, colour]);
}
