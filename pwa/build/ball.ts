/** The ball of `src/design/Ball.svelte` in its own units: a disc, two straight seams, and two that are arcs. */
const UNITS = 32;
const CENTRE = UNITS / 2;
const RADIUS = 15;
const SEAM_WIDTH = 1.6;
const ARC_RADIUS = 14.7;
/** Of an arc's centre from the ball's. */
const ARC_DISTANCE = 19.95;

/** Steps between two colours at an edge. */
const EDGE_STEPS = 8;

export type Colour = readonly [red: number, green: number, blue: number];

/** Draws the ball into a square. Answers an index into `ballPalette` for each point, row by row; 0 is the ground. */
export function drawBall(size: number): Uint8Array {
  const pixels = new Uint8Array(size * size);
  const unit = size / UNITS;
  /** How much of a pixel lies inside a shape whose edge is this far away, outwards. */
  const step = (distance: number) => Math.round(Math.min(Math.max(0.5 - distance * unit, 0), 1) * (EDGE_STEPS - 1));
  for (let row = 0; row < size; row += 1) {
    const y = (row + 0.5) / unit - CENTRE;
    for (let column = 0; column < size; column += 1) {
      const x = (column + 0.5) / unit - CENTRE;
      const disc = step(Math.hypot(x, y) - RADIUS);
      if (disc === 0) continue;
      const arc = Math.abs(Math.hypot(Math.abs(x) - ARC_DISTANCE, y) - ARC_RADIUS);
      const seam = step(Math.min(Math.abs(x), Math.abs(y), arc) - SEAM_WIDTH / 2);
      pixels[row * size + column] = disc * EDGE_STEPS + seam;
    }
  }
  return pixels;
}

export function ballPalette(ground: Colour, leather: Colour, seams: Colour): Colour[] {
  const palette: Colour[] = [];
  for (let disc = 0; disc < EDGE_STEPS; disc += 1) {
    for (let seam = 0; seam < EDGE_STEPS; seam += 1) {
      palette.push(mix(ground, mix(leather, seams, seam / (EDGE_STEPS - 1)), disc / (EDGE_STEPS - 1)));
    }
  }
  return palette;
}

function mix(from: Colour, to: Colour, share: number): Colour {
  const part = (index: 0 | 1 | 2) => Math.round(from[index] + (to[index] - from[index]) * share);
  return [part(0), part(1), part(2)];
}
