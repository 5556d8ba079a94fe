/** Removes all of these, whatever goes wrong with some, and then says what went wrong first. */
export async function removeAll(...things) {
  const wrong = [];
  for (const thing of things) {
    try {
      await thing?.remove();
    } catch (error) {
      wrong.push(error);
    }
  }
  if (wrong.length > 0) throw wrong[0];
}
