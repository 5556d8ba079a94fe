import './design/tokens.css';
import './design/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { receiveLinkCodes } from './connect/link-code.svelte';
import { type Device, DeviceError, openDevice } from './device';
import { isSpoken } from './i18n/words.svelte';
import { keepOfflineShell } from './offline';
import { rememberCampaign } from './reduced/remembered-campaign';
import { secondScript, speak } from './second-script.svelte';
import { arrival } from './sign-in/arrival';
import Unavailable from './Unavailable.svelte';
import { followVisibleArea } from './visible-area';

/** Longest time that a start at another screen, or in another language than Polish, keeps the form back. */
const FORM_WAIT_MS = 2_000;

async function start(target: HTMLElement): Promise<void> {
  followVisibleArea();
  arrival.receive();
  receiveLinkCodes();
  const screen = location.hash && secondScript.load();
  try {
    const device = await open();
    const language = speak(device.campaign.languages.find(isSpoken) ?? 'pl');
    const late = new Promise((resolve) => setTimeout(resolve, FORM_WAIT_MS));
    await Promise.race([Promise.all([screen, language]), late]);
    target.replaceChildren();
    mount(App, { target, props: { device } });
  } catch (reason) {
    console.error('The form cannot start:', reason);
    target.replaceChildren();
    const noStorage = reason instanceof DeviceError;
    mount(Unavailable, { target, props: { reason: String(reason), noStorage } });
  }
  // After the form: the first person in the queue waits for neither.
  await secondScript.load();
  await keepOfflineShell();
}

/** The whole device; where its library cannot start, one that keeps what people fill in until it can. */
async function open(): Promise<Device> {
  try {
    const device = await openDevice(location.origin);
    rememberCampaign(device);
    return device;
  } catch (reason) {
    console.error('The device library cannot start:', reason);
    const { openReducedDevice } = await import('./reduced/reduced-device');
    return openReducedDevice();
  }
}

const target = document.getElementById('app');
if (target) void start(target);
