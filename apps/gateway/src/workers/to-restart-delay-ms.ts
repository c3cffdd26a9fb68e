const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** Who has served for so long has not died of how it was started. */
const STEADY_MS = 60_000;

/** How long to wait before a worker that died is replaced: at once mostly, longer each time it dies young. */
export function toRestartDelayMs(livedMs: number, earlyDeaths: number): number {
  if (livedMs >= STEADY_MS || earlyDeaths <= 1) return 0;
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (earlyDeaths - 2));
}

/** The deaths in a row that came soon after a start, this one included. */
export function toEarlyDeaths(livedMs: number, before: number): number {
  return livedMs >= STEADY_MS ? 0 : before + 1;
}
