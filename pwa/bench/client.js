// `cargo xtask bench client`: the app and its library as they are built, in Chromium, with the real server.
import { parseArgs } from 'node:util';
import { Server } from '../e2e/support/server.js';
import { measureDrain } from './drain.js';
import { lookAtMachine } from './machine.js';
import { report } from './report.js';
import { measureSave } from './save.js';
import { measureStart, measureWasm } from './start.js';
import { targets as compare } from './targets.js';
import { measureFirstLoad, measureUpdate } from './transfer.js';

const FULL = { queues: [0, 1_000, 10_000, 50_000], rounds: 500, samples: 9, drainLeads: 10_000 };
const QUICK = { queues: [0, 1_000], rounds: 50, samples: 3, drainLeads: 1_000 };

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});
if (options.help) {
  console.log(`Measures the app: Save beside a bare IndexedDB put and beside Dexie, transfer, start, and the way of a queue to a server.

  --quick   a small run, to see that it works
  --json    the figures as JSON`);
  process.exit(0);
}

const { queues, rounds, samples, drainLeads } = options.quick ? QUICK : FULL;
const tell = (text) => console.error(`  ${text} …`);
const machine = lookAtMachine();
const server = await Server.start();
try {
  const firstLoad = await measureFirstLoad({ server, tell });
  const transfer = { firstLoad, ...(await measureUpdate({ tell })) };
  const wasmMs = await measureWasm({ samples, tell });
  const start = await measureStart({ server, samples, tell });
  const save = await measureSave({ queues, rounds, tell });
  const drain = { leads: drainLeads, leadsPerSecond: await measureDrain({ server, leads: drainLeads, tell }) };
  const figures = { machine, save, transfer, start, wasmMs, drain };
  const targets = compare(figures);
  console.log(options.json ? JSON.stringify({ ...figures, targets }, null, 2) : report({ ...figures, targets }));
} finally {
  await server.remove();
}
