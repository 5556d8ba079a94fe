// Pictures of the capture screen on the sizes of iPads: `npm run screenshots -- FOLDER`.
// LEADLOG_BIN names the server program, SCALE=2 draws as sharp as an iPad does.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ipad } from './support/browser.js';
import { field, fill, openReady, PEOPLE, save, see, SYNCED, tapSave } from './support/capture.js';
import { Server } from './support/server.js';

const SIZES = [
  [744, 1133],
  [820, 1180],
  [1024, 1366],
];

/** What the hostess sees at four moments; each starts from an empty form, all synced. */
const MOMENTS = {
  async empty() {},
  async errors(page) {
    await field(page, 'firstName').fill(PEOPLE.anna.firstName);
    await field(page, 'email').fill('anna.nowak@');
    await tapSave(page);
    await see(page, 'Wpisz nazwisko');
  },
  async saved(page) {
    await save(page, PEOPLE.anna);
    await see(page, SYNCED);
  },
  async waiting(page, server) {
    await server.stop();
    await page.context().setOffline(true);
    await save(page, PEOPLE.zofia);
    await save(page, PEOPLE.anna);
    await page.getByRole('button', { name: 'Zapisz', exact: true }).waitFor();
    await fill(page, { firstName: 'Katarzyna', lastName: 'Wiśniewska-Kowalczyk', email: 'katarzyna.wisniewska@example.com', phone: '+48 501 502 503' });
  },
};

const folder = process.argv[2];
if (!folder) throw new Error('name the folder for the pictures: npm run screenshots -- FOLDER');
mkdirSync(folder, { recursive: true });

const server = await Server.start();
const ipad = new Ipad({ scale: Number(process.env.SCALE ?? 1) });
try {
  const page = await ipad.page();
  for (const [moment, act] of Object.entries(MOMENTS)) {
    await openReady(page, server.url);
    await see(page, SYNCED);
    await act(page, server);
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      for (const [short, long] of SIZES) {
        for (const [width, height] of [[short, long], [long, short]]) {
          await page.setViewportSize({ width, height });
          await page.screenshot({ path: join(folder, `${moment}-${width}x${height}-${colorScheme}.png`) });
        }
      }
    }
  }
} finally {
  await ipad.remove();
  await server.remove();
}
