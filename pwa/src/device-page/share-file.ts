/** Hands a file to the person: through the share sheet where there is one, else as a download. */
export async function shareFile(file: File): Promise<void> {
  if (navigator.canShare?.({ files: [file] })) {
    try {
      return await navigator.share({ files: [file] });
    } catch (reason) {
      // The person closed the share sheet. Any other refusal leaves the download.
      if (reason instanceof DOMException && reason.name === 'AbortError') return;
    }
  }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  // The address is not taken back: how long a browser still reads from it is not known, and the page
  // frees it when it ends.
}
