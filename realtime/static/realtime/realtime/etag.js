/**
 * The entity tag of an object, from its representation alone: that of a list's row or of an event will do as well as an answer.
 * @param {object} representation as it was parsed, its fields in their order
 * @returns {Promise<string|null>} null where browsers have no hash functions: on plain HTTP, other than localhost
 */
export async function entityTag(representation) {
  if (!globalThis.crypto?.subtle) return null;
  const bytes = new TextEncoder().encode(JSON.stringify(representation));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const text = btoa(String.fromCharCode(...digest));
  return `"${text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}"`;
}
