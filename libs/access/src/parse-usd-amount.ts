import { type Nanos } from '@weir/kernel';

const NANO_DIGITS = 9;
const DECIMAL = /^(\d{1,20})(?:\.(\d{1,20}))?$/;
/** How JavaScript writes a number below one millionth: 1.5e-7. */
const SMALL_NUMBER = /^(\d)(?:\.(\d{1,20}))?e-(\d{1,2})$/;

/**
 * An amount of dollars, as a number or as decimal text, in whole nano-dollars. Digit by digit: a
 * product with a fraction would be off by one here and there.
 * @returns null for what is negative, no amount, above `largestNanos`, or finer than a nano-dollar.
 */
export function parseUsdAmount(value: unknown, largestNanos: Nanos): Nanos | null {
  const digits = toDigits(value);
  if (digits === null || digits.fraction.length > NANO_DIGITS) return null;
  const nanos = BigInt(digits.whole + digits.fraction.padEnd(NANO_DIGITS, '0'));
  return nanos <= BigInt(largestNanos) ? Number(nanos) : null;
}

/** The digits before and after the point, as they are written. */
function toDigits(value: unknown): { whole: string; fraction: string } | null {
  if (typeof value === 'string') return toPlainDigits(value);
  if (typeof value !== 'number') return null;
  // The shortest text that reads back as the same number: for every amount of at most 9 decimals that
  // Weir takes, the very digits that the caller wrote.
  const text = String(value);
  const small = SMALL_NUMBER.exec(text);
  if (small === null) return toPlainDigits(text);
  const [, first, rest = '', exponent] = small;
  return { whole: '0', fraction: '0'.repeat(Number(exponent) - 1) + first + rest };
}

function toPlainDigits(text: string): { whole: string; fraction: string } | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const [, whole, fraction = ''] = match;
  return { whole, fraction };
}
