const LONGEST_MS = 3_600_000;
const UNITS = { ms: 1, s: 1_000, m: 60_000 } as const;
const DURATION = /^(\d{1,7}(?:\.\d{1,3})?)(ms|s|m)?$/;

/** Seconds, or a text such as `30s`, `500ms` or `2m`, in milliseconds; null for what is none, or is longer than an hour. */
export function parseTimeout(value: number | string): number | null {
  const [, amount, unit = 's'] = DURATION.exec(String(value)) ?? [];
  if (amount === undefined || !isUnit(unit)) return null;
  const timeoutMs = Math.round(Number(amount) * UNITS[unit]);
  return timeoutMs >= 1 && timeoutMs <= LONGEST_MS ? timeoutMs : null;
}

function isUnit(unit: string): unit is keyof typeof UNITS {
  return Object.hasOwn(UNITS, unit);
}
