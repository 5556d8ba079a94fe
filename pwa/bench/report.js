/** The figures as tables in Markdown, as they stand in docs/performance.md. */
export function report({ machine, save, transfer, start, wasmMs, drain, targets }) {
  const lines = [
    `${machine.cores} cores (${machine.cpu}), ${Math.round(machine.memoryMib / 1024)} GiB, ${machine.kernel}, ${machine.browser};`,
    `a flush of a page takes ${ms(machine.flushP50Ms)} ms (p99 ${ms(machine.flushP99Ms)}); load average ${machine.loadBefore.toFixed(1)} before the run.`,
    '',
    ...table(
      ['stored', 'Save p50 ms', 'p99', 'bare put p50', 'p99', 'Dexie p50', 'p99', 'Save / bare put', 'Save / Dexie'],
      save.map(({ stored, leadlog, bare, dexie }) => [
        stored.toLocaleString('en'),
        ...[leadlog, bare, dexie].flatMap(({ p50, p99 }) => [ms(p50), ms(p99)]),
        (leadlog.p50 / bare.p50).toFixed(2),
        (leadlog.p50 / dexie.p50).toFixed(2),
      ]),
    ),
    '',
    ...table(
      ['', 'measured'],
      [
        ['first load until the form works, kB', kb(transfer.firstLoad.formBytes)],
        ['the same, with the other screens, kB', kb(transfer.firstLoad.bytes)],
        ['the same, with what makes it open offline, kB', kb(transfer.install)],
        ['update of the app alone, kB', kb(transfer.update)],
        ['from the cache until a person can type, app open before, ms', ms(start.again)],
        ['the same in a browser that was just started, ms', ms(start.cold)],
        ['WASM start, ms', ms(wasmMs)],
        [`drain of ${drain.leads.toLocaleString('en')} leads, leads/s`, Math.round(drain.leadsPerSecond).toLocaleString('en')],
      ],
    ),
    '',
    ...table(
      ['target', 'at most', 'measured', ''],
      targets.map(({ name, limit, measured, isMet }) => [name, String(limit), measured.toFixed(2), isMet ? 'met' : 'missed']),
    ),
  ];
  return lines.join('\n');
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)];
}

const ms = (value) => value.toFixed(2);
const kb = (bytes) => (bytes / 1000).toFixed(1);
