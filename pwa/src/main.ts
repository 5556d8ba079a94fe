import './design/tokens.css';
import './design/base.css';
import { mount } from 'svelte';
import CaptureScreen from './capture/CaptureScreen.svelte';
import { openDevice } from './device';
import { keepOfflineShell } from './offline';
import Unavailable from './Unavailable.svelte';
import { followVisibleArea } from './visible-area';

async function start(target: HTMLElement): Promise<void> {
  followVisibleArea();
  try {
    const device = await openDevice(location.origin);
    target.replaceChildren();
    mount(CaptureScreen, { target, props: { device } });
  } catch (reason) {
    console.error('The form cannot start:', reason);
    target.replaceChildren();
    mount(Unavailable, { target, props: { reason: String(reason) } });
  }
  // After the form: the first person in the queue does not wait for it.
  await keepOfflineShell();
}

const target = document.getElementById('app');
if (target) void start(target);
