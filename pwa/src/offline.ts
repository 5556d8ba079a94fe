/**
 * Registers the service worker that starts the app without a network, and asks for a newer version
 * when the iPad is picked up again: an installed web app can stay open for days, and the browser by
 * itself looks only when a page is loaded.
 */
export async function keepOfflineShell(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  try {
    const registration = await navigator.serviceWorker.register('/sw.js');
    document.addEventListener('visibilitychange', () => {
      // Without a network this fails, and the version at hand goes on.
      if (document.visibilityState === 'visible') registration.update().catch(() => undefined);
    });
  } catch (reason) {
    console.warn('The app is not stored for use without a network:', reason);
  }
}
