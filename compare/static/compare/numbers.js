/** Numbers as people read them, and the talk's arithmetic. Pure. */

/** As in the talk: 871 bytes × 100,000 × 8 are 696,800,000 bits, and over 1,048,576 that is "665 Mbps". */
const MEGA = 1024 * 1024;
export const CLIENTS = 100_000;

/** @param {number} value bytes */
export function bytes(value) {
  if (value < 1000) return `${Math.round(value)} B`;
  if (value < 1_000_000) return `${digits(value / 1000)} kB`;
  return `${digits(value / 1_000_000)} MB`;
}

/** @param {number} value milliseconds */
export function milliseconds(value) {
  return value < 1000 ? `${digits(value)} ms` : `${digits(value / 1000)} s`;
}

/** So many bytes a second for each of 100,000 clients. @returns {string} */
export function megabits(value) {
  return `${digits((value * CLIENTS * 8) / MEGA)} Mbit/s`;
}

/** Likewise. */
export function megabytes(value) {
  return `${digits((value * CLIENTS) / MEGA)} MB/s`;
}

function digits(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: value >= 100 ? Math.ceil(Math.log10(value + 1)) : 3 });
}
