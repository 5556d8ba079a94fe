import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './server.js';

const WRITES = 'write,pwrite64,writev,pwritev,sendto,sendmsg';
const FLUSHES = 'fsync,fdatasync';
/** Of each write. Longer than a record and a request. */
const SHOWN_BYTES = 16_384;

/** Why processes cannot be traced here, or `false`: no strace, a container that forbids it, no right to. */
export async function cannotTrace() {
  const cat = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  try {
    await (await SystemCalls.of([cat.pid])).end();
    return false;
  } catch (error) {
    return `system calls cannot be traced here: ${error.message}`;
  } finally {
    cat.stdin.end();
  }
}

/**
 * What processes write and flush from here on, in one order. It is the order of causes: a traced process stands still
 * until its call is in the trace, so what is caused by a call's return stands behind it, whatever process does it.
 */
export class SystemCalls {
  #folder = temporaryFolder('strace');
  #strace;

  static async of(pids) {
    const calls = new SystemCalls();
    const args = ['-f', '-y', '-s', String(SHOWN_BYTES), '-e', `trace=${WRITES},${FLUSHES}`, '-o', calls.#file];
    calls.#strace = spawn('strace', [...args, ...pids.flatMap((pid) => ['-p', String(pid)])], { stdio: ['ignore', 'ignore', 'pipe'] });
    try {
      await calls.#attached(pids);
    } catch (error) {
      calls.#strace.kill('SIGKILL');
      calls.#folder.remove();
      throw error;
    }
    return calls;
  }

  get #file() {
    return join(this.#folder.path, 'calls');
  }

  /** Lets the processes go, and answers the lines. */
  async end() {
    const gone = once(this.#strace, 'exit');
    this.#strace.kill('SIGINT');
    await gone;
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    this.#folder.remove();
    return lines;
  }

  #attached(pids) {
    const missing = new Set(pids.map(String));
    let told = '';
    return new Promise((resolve, reject) => {
      // It is read to the end: strace also tells of threads that begin later.
      this.#strace.stderr.on('data', (chunk) => {
        told += chunk;
        for (const [, pid] of told.matchAll(/Process (\d+) attached/g)) missing.delete(pid);
        // One that ended before it could be attached writes nothing.
        for (const [, pid] of told.matchAll(/, (\d+)\): No such process/g)) missing.delete(pid);
        if (missing.size === 0) resolve();
      });
      this.#strace.on('error', reject);
      this.#strace.on('exit', () => reject(new Error(told.trim() || 'strace has ended')));
    });
  }
}

/**
 * Lines of a trace: `written`, where `text` was written into a file whose path matches `file`; `flushed`, where a flush
 * of that file began that ended after it and before `answered`, where the page asked for the path `marker`, as it does
 * when Save has answered. What is not there is `undefined`.
 */
export function flushBefore(lines, { text, file, marker }) {
  const path = (line) => /^\d+ +\w+\(\d+<([^>]*)>/.exec(line)?.[1] ?? '';
  const isWrite = (line) => file.test(path(line)) && /^\d+ +p?write/.test(line) && line.includes(text);
  const answered = indexOf(lines, (line) => line.includes(`GET ${marker} HTTP`));
  if (answered === undefined) throw new Error(`the trace of ${lines.length} lines shows no request of ${marker}`);

  const written = indexOf(lines.slice(0, answered), isWrite);
  const flushed = indexOf(lines.slice(0, answered), (line, index) => {
    const [, pid, call] = /^(\d+) +(fsync|fdatasync)\(/.exec(line) ?? [];
    return call && index > written && path(line) === path(lines[written]) && endOf(lines, index, pid, call) < answered;
  });
  return { written, answered, flushed };
}

function indexOf(lines, isIt) {
  const index = lines.findIndex(isIt);
  return index < 0 ? undefined : index;
}

/** The line in which a call returned with success. */
function endOf(lines, start, pid, call) {
  const isEnd = (line, index) => index > start && line.startsWith(`${pid} `) && line.includes(`<... ${call} resumed>`);
  const end = lines[start].includes('<unfinished ...>') ? lines.findIndex(isEnd) : start;
  return end >= 0 && /\) += 0$/.test(lines[end]) ? end : Infinity;
}
