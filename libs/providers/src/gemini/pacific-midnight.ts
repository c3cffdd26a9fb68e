const DAY_MS = 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;

const pacificClock = new Intl.DateTimeFormat('en-US', { timeZone: 'America/Los_Angeles', hourCycle: 'h23', hour: 'numeric', minute: 'numeric', second: 'numeric' });

/**
 * How long it is until Google's day ends, in milliseconds: daily quotas begin anew at midnight in
 * California (https://ai.google.dev/gemini-api/docs/rate-limits).
 */
export function untilPacificMidnightMs(nowMs: number): number {
  const secondsOfDay = toSecondsOfDay(nowMs);
  const waitMs = DAY_MS - secondsOfDay * 1000;
  // On the two days when the clocks change there, what would be midnight is 23:00 or 01:00.
  const hourThen = Math.round(toSecondsOfDay(nowMs + waitMs) / 3600);
  return hourThen === 23 ? waitMs + HOUR_MS : hourThen === 1 ? waitMs - HOUR_MS : waitMs;
}

function toSecondsOfDay(ms: number): number {
  let seconds = 0;
  for (const { type, value } of pacificClock.formatToParts(ms)) {
    if (type === 'hour') seconds += Number(value) * 3600;
    else if (type === 'minute') seconds += Number(value) * 60;
    else if (type === 'second') seconds += Number(value);
  }
  return seconds;
}
