/**
 * The second script: everything that `second-script.svelte.ts` promises. Nothing of the first script imports it but
 * there.
 */
import ConnectPage from './connect/ConnectPage.svelte';
import DevicePage from './device-page/DevicePage.svelte';
import InstallPage from './install/InstallPage.svelte';
import OfficePage from './office/OfficePage.svelte';
import RestorePage from './restore/RestorePage.svelte';

export { default as HandOver } from './hand-over/HandOver.svelte';
export { catalogues } from './i18n/all-words';
export { default as SignIn } from './sign-in/SignIn.svelte';

/** The screens beside the form, by the hash of their address. */
export const screens: Record<string, typeof ConnectPage | typeof DevicePage | typeof RestorePage | typeof InstallPage | typeof OfficePage> = {
  '#connect': ConnectPage,
  '#device': DevicePage,
  '#restore': RestorePage,
  '#install': InstallPage,
  '#office': OfficePage,
};
