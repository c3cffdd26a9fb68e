import { type Finding, good, wrong } from './finding';

/** From here on a dead process's holds may be taken for lost or not: docs/failures.md. */
const MOST_SKEW_MS = 1_500;

/**
 * Compares another machine's clock with this one's.
 * @param beforeMs when it was asked
 * @param afterMs when the answer was there: the difference cannot be known more exactly than the way took
 */
export function checkClock(server: string, theirsMs: number, beforeMs: number, afterMs: number): Finding {
  const skewMs = Math.max(0, beforeMs - theirsMs, theirsMs - afterMs);
  if (skewMs <= MOST_SKEW_MS) return good(`${server}'s clock agrees with this one's`);
  return wrong(`${server}'s clock is ${(skewMs / 1000).toFixed(1)} s away from this one's`, 'let both follow one time server (timedatectl set-ntp true)');
}
