// A code is found in whatever a person brings: typed, pasted with the link around it, or scanned.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const { module } = await runnerImport(fileURLToPath(new URL('code.ts', import.meta.url)));
const { codeIn } = module;

const CODE = '7K3QF-0XW2A-9ZTBM-4HCDE-6RNPV-S';

test('it is found alone and in its link', () => {
  const brought = [CODE, ` ${CODE}\n`, `https://leads.example.com/#connect=${CODE}`, `#connect=${CODE}`, `Kod: https://leads.example.com/?campaign=a#connect=${CODE} (iPad 7)`];
  for (const text of brought) assert.equal(codeIn(text), CODE, text);
});

test('it may be written in any case, with spaces, and with the dashes that keyboards make of hyphens', () => {
  assert.equal(codeIn('7k3qf 0xw2a\u00a09ztbm—4hcde – 6rnpv‑s'), CODE.toLowerCase());
  assert.equal(codeIn('7k3qf0xw2a9ztbm4hcde6rnpvs'), '7k3qf0xw2a9ztbm4hcde6rnpvs');
});

test('what is something else holds none', () => {
  const others = ['', ' ', '-', 'https://leads.example.com/', '#connect=', '#connect=%20', 'WIFI:S:Arena;T:WPA;P:secret;;', '#connect=<b>'];
  for (const text of others) assert.equal(codeIn(text), null, text);
});

test('an invitation is not taken for the code of an iPad, and the other way round', () => {
  const [connect, invite] = ['connect', 'invite'].map((kind) => `https://leads.example.com/#${kind}=${CODE}`);
  assert.deepEqual([codeIn(connect), codeIn(invite, 'invite')], [CODE, CODE]);
  assert.deepEqual([codeIn(invite), codeIn(connect, 'invite')], [null, null]);
  assert.equal(codeIn(CODE, 'invite'), CODE);
});
