import type { Attachment } from 'svelte/attachments';

/** Scrolls to an element whenever there is something new to be read in it. */
export function intoView(text: () => string): Attachment {
  return (element) => {
    $effect(() => {
      if (text()) element.scrollIntoView({ block: 'nearest' });
    });
  };
}
