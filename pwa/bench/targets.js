/** Each target and where the run stands. `null` where the run did not measure it. */
export function targets({ save, transfer, start, wasmMs }) {
  const longest = save.at(-1);
  const ratios = save.map(({ leadlog, bare }) => leadlog.p50 / bare.p50);
  const none = save[0];
  return [
    atMost('Save p50 / bare strict put, the worst queue', 1.3, Math.max(...ratios)),
    // Beside the bare put, so that what else the machine did falls out.
    atMost(`Save p50 with ${longest.stored} stored / with none, each beside its bare put`, 1.2, ratios.at(-1) / (none.leadlog.p50 / none.bare.p50)),
    atMost('first load until the form works, kB', 110, transfer.firstLoad.formBytes / 1000),
    atMost('update of the app alone, kB', 40, transfer.update / 1000),
    atMost('WASM start, ms', 60, wasmMs),
  ];
}

function atMost(name, limit, measured) {
  return { name, limit, measured, isMet: measured <= limit };
}
