/**
 * Reads QR codes through the camera. An app on the home screen has storage of its own: what the iPad's camera app reads
 * opens in Safari, and would connect that one instead.
 */
const LOOK_EVERY_MS = 120;
/** The longer side of the picture that is searched: a code that fills a quarter of it is still clear. */
const MAX_SIDE_PX = 960;

/** Not allowed, not there, or it (or what reads its pictures) did not start. */
export class ScanError extends Error {
  constructor(
    readonly code: 'denied' | 'none' | 'failed',
    message: string,
  ) {
    super(message);
  }
}

/**
 * Shows the camera in `video`, and resolves with what `find` finds in the text of a QR code; with `null` when it was
 * aborted before. However it ends, the camera is off. Rejects with `ScanError`.
 */
export async function scan(
  video: HTMLVideoElement,
  find: (text: string) => string | null,
  signal: AbortSignal,
): Promise<string | null> {
  const coming = import('./decoder').catch(failed);
  // Told below; by then the person may still be asked for the camera.
  coming.catch(() => undefined);
  const camera = await openCamera();
  try {
    const { decodeQR } = await coming;
    video.srcObject = camera;
    if (!signal.aborted) await video.play().catch((reason) => signal.aborted || failed(reason));
    const look = lookAt(video);
    while (!signal.aborted) {
      const found = textOf(look(), decodeQR);
      const wanted = found && find(found);
      if (wanted) return wanted;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return null;
  } finally {
    for (const track of camera.getTracks()) track.stop();
    video.srcObject = null;
  }
}

async function openCamera(): Promise<MediaStream> {
  // Only a page that came over HTTPS is offered one.
  if (!navigator.mediaDevices) throw new ScanError('none', 'the browser offers no camera');
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 } } });
  } catch (reason) {
    const name = reason instanceof DOMException ? reason.name : '';
    if (name === 'NotAllowedError') throw new ScanError('denied', String(reason));
    throw new ScanError(name === 'NotFoundError' ? 'none' : 'failed', String(reason));
  }
}

/** Gives the picture of the moment; none before the first has come. */
function lookAt(video: HTMLVideoElement): () => ImageData | undefined {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return () => {
    const { videoWidth, videoHeight } = video;
    if (!context || videoWidth === 0) return undefined;
    const scale = Math.min(1, MAX_SIDE_PX / Math.max(videoWidth, videoHeight));
    const [width, height] = [Math.round(videoWidth * scale), Math.round(videoHeight * scale)];
    // To set its size, even to the same, makes a canvas anew.
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.drawImage(video, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  };
}

function textOf(picture: ImageData | undefined, decode: (picture: ImageData) => string): string | undefined {
  try {
    return picture && decode(picture);
  } catch {
    // There is no code in it, or none that is clear: the next picture may be better.
    return undefined;
  }
}

function failed(reason: unknown): never {
  throw new ScanError('failed', String(reason));
}
