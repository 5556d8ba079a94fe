/** One file of the app, as the build left it. */
export interface PrecachedFile {
  /** Path on the app's origin. The page itself is `/`. */
  readonly path: string;
  /** Subresource integrity value: what arrives under this path must be exactly these bytes. */
  readonly integrity: string;
}

/** Everything that the app needs to start without a network. */
export interface Precache {
  /** Digest over all files and the service worker: two builds with the same bytes are the same version. */
  readonly version: string;
  readonly files: readonly PrecachedFile[];
}
