/** Puts a text on the clipboard; false if this browser does not allow that (it does over HTTPS only). */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
