import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { findChromium } from '../e2e/support/chromium.js';
import { percentile } from './statistics.js';

const FLUSHES = 200;

/** What the figures were measured on. */
export function lookAtMachine() {
  const flush = flushes();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMib: Math.round(totalmem() / 2 ** 20),
    kernel: `${type()} ${release()}`,
    browser: execFileSync(findChromium(), ['--version', '--no-sandbox'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(),
    /** Of the minute before the start. */
    loadBefore: loadavg()[0],
    /** A page overwritten and flushed, where the browser's profile lies. */
    flushP50Ms: percentile(flush, 50),
    flushP99Ms: percentile(flush, 99),
  };
}

function flushes() {
  const path = join(tmpdir(), `leadlog-flush-${process.pid}`);
  const file = openSync(path, 'w');
  const page = Buffer.alloc(8192, 7);
  try {
    return Array.from({ length: FLUSHES }, () => {
      const begun = performance.now();
      writeSync(file, page, 0, page.length, 0);
      fsyncSync(file);
      return performance.now() - begun;
    });
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
