/**
 * Hands a file to the person: through the share sheet where there is one, else as a download. Tells whether it is on its
 * way.
 */
export async function shareFile(file: File): Promise<boolean> {
  if (navigator.canShare?.({ files: [file] })) {
    try {
      await navigator.share({ files: [file] });
      return true;
    } catch (reason) {
      // The person closed the share sheet. Any other refusal leaves the download.
      if (reason instanceof DOMException && reason.name === 'AbortError') return false;
    }
  }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  // The address is not taken back: how long a browser still reads from it is not known, and the page
  // frees it when it ends.
  return true;
}
