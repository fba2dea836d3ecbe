/**
 * Where a moved item goes: which positions to write, as few as possible. Pure.
 *
 * Positions are integers with room between them (the server appends at intervals of STEP). A moved
 * item gets the middle of the gap, one write. Where there is no gap left, neighbours are pushed on,
 * to the side where fewer have to move, each just far enough; equal positions, which two people who
 * add at once can cause, are separated on the way.
 */

const STEP = 1024;
const MIN = -(2 ** 31);
const MAX = 2 ** 31 - 1;

/**
 * @param {{key: string, position: number}[]} items in their order
 * @param {number} from index of the item that moves
 * @param {number} to its index afterwards
 * @returns {{key: string, position: number}[]} what to write
 */
export function positionsAfterMove(items, from, to) {
  if (from === to) return [];
  const order = items.toSpliced(from, 1);
  order.splice(to, 0, items[from]);
  const before = to > 0 ? order[to - 1].position : null;
  const after = to < order.length - 1 ? order[to + 1].position : null;
  const middle = between(before, after);
  if (middle !== null) return [{ key: items[from].key, position: middle }];
  const choices = [push(order, to, 1), push(order, to, -1)].filter(Boolean);
  if (!choices.length) return spread(order);
  return choices.reduce((one, other) => (other.length < one.length ? other : one));
}

function between(before, after) {
  if (before === null) return after - STEP >= MIN ? after - STEP : null;
  if (after === null) return before + STEP <= MAX ? before + STEP : null;
  return after - before >= 2 ? Math.floor((before + after) / 2) : null;
}

/** Puts the item next to its neighbour and pushes the rest on, or null where the numbers end. */
function push(order, at, direction) {
  const writes = [];
  let last = order[at - direction]?.position;
  if (last === undefined) return null;
  for (let index = at; index in order; index += direction) {
    const { key, position } = order[index];
    if (index !== at && (position - last) * direction > 0) break;
    last += direction;
    if (last < MIN || last > MAX) return null;
    writes.push({ key, position: last });
  }
  return writes;
}

function spread(order) {
  return order
    .map(({ key, position }, index) => ({ key, old: position, position: (index + 1) * STEP }))
    .filter(({ old, position }) => old !== position)
    .map(({ key, position }) => ({ key, position }));
}
