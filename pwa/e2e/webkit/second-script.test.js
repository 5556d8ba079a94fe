// WebKit remembers a module that did not come once: what the app does about it has to be seen there (invariant 10).
import { after, before, test } from 'node:test';
import { field } from '../support/capture.js';
import { ReleaseServer } from '../support/release-server.js';
import { doWithout, SECOND_SCRIPT } from '../support/second-script.js';
import { Screen } from './programs.js';
import { Session } from './session.js';

let app;
let screen;
let page;

before(async () => {
  app = await ReleaseServer.start();
  screen = await Screen.start();
  page = await Session.start(screen);
});

after(async () => {
  await page?.remove();
  await screen?.remove();
  await app?.stop();
});

test('where the second script does not come, the form works on, and a later tap asks again', async () => {
  app.answerInstead(SECOND_SCRIPT, null);
  await page.goto(app.url);
  await field(page, 'firstName').waitFor();
  await doWithout(page, app);
});
