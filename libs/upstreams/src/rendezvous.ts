const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A 32-bit hash of a text, for `toRendezvousCost`. No secret's and no proof: it only spreads. */
export function toPlaceHash(text: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  return hash >>> 0;
}

/**
 * Weighted rendezvous hashing: of several places, the one with the lowest cost serves the session.
 * Each place gets sessions in proportion to its weight; when one goes or comes, only its own
 * sessions move, and they spread over all others.
 * @param session, place 32-bit hashes
 */
export function toRendezvousCost(session: number, place: number, weight: number): number {
  // Above 0 and below 1, so that the logarithm is finite and never 0.
  const point = (mix(session ^ Math.imul(place, 0x9e3779b1)) + 0.5) / 2 ** 32;
  return -Math.log(point) / weight;
}

/** How many open calls a place may have before its sessions go to their next one: 1.25 times its share of all, the new one included. */
export function toLoadBound(openCalls: number, share: number): number {
  return Math.ceil(1.25 * (openCalls + 1) * share);
}

/** The finish of MurmurHash3: every bit of the input changes half of the output. */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
