/**
 * Publishes the part of the screen that the keyboard leaves free, as `--visible-top` and
 * `--visible-height`. On an iPad the keyboard covers the page without resizing it, so this is the
 * only way for the bar with "Zapisz" to ride above it.
 */
export function followVisibleArea(): void {
  const area = window.visualViewport;
  if (!area) return;

  const follow = () => {
    const { style } = document.documentElement;
    // While someone has zoomed in, the visible part is a magnifying glass, not a smaller screen.
    if (area.scale > 1.01) {
      style.removeProperty('--visible-top');
      style.removeProperty('--visible-height');
      return;
    }
    style.setProperty('--visible-top', `${area.offsetTop}px`);
    style.setProperty('--visible-height', `${area.height}px`);
  };

  area.addEventListener('resize', () => {
    follow();
    // The field that the person types in may have come to lie under the bar.
    if (document.activeElement instanceof HTMLInputElement) document.activeElement.scrollIntoView({ block: 'nearest' });
  });
  area.addEventListener('scroll', follow);
  follow();
}
