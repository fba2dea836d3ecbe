/** Why the server has refused something, in words for people. */

/**
 * @param {{status: number, data: any, text?: string, message?: string}} error an ApiError, or what a letter keeps of it
 * @returns {string} a sentence
 */
export function reason({ status, data, text, message }) {
  // Of a list that may not be seen, the API says that there is no such key.
  if (Array.isArray(data?.todo_list)) return "The list was deleted, or was not shared with you.";
  if (status === 404) return "It was not there, or not shared with you.";
  return text ?? message;
}
