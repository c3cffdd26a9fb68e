declare global {
  // ECMAScript 2026, "JSON.parse source text access": in Node since 22, not yet in TypeScript's library.
  interface JSON {
    rawJSON(text: string): object;
    isRawJSON(value: unknown): boolean;
  }
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** With the third argument of the same ECMAScript. */
const parseWithSource: (text: string, reviver: Reviver) => unknown = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** What could be a number that JavaScript cannot hold. Most texts have none, and are spared the slow road. */
const DOUBTFUL_NUMBER = /[\d.]{16}|\d[eE][+-]?\d{2}/;
const MAX_EXACT_DIGITS = 15;

/**
 * Parses JSON so that JSON.stringify writes the same numbers again. A number that does not fit
 * JavaScript's (an id of 20 digits among a tool's arguments) is kept as its text instead of being
 * rounded: a value for which JSON.isRawJSON is true.
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  if (!DOUBTFUL_NUMBER.test(text)) return JSON.parse(text);
  return parseWithSource(text, (_key, value: unknown, { source }) =>
    typeof value === 'number' && source !== undefined && isRounded(value, source) ? JSON.rawJSON(source) : value,
  );
}

function isRounded(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return true;
  if (String(value) === source) return false;
  const mantissa = source.replace(/[eE].*$/, '');
  const digits = (mantissa.includes('.') ? withoutLastZeros(mantissa) : mantissa).replace(/[-.]/g, '').replace(/^0+/, '');
  return digits.length > MAX_EXACT_DIGITS || (value === 0 && digits !== '');
}

/** By hand: /0+$/ begins anew at each zero, which for a caller's number of a megabyte takes hours. */
function withoutLastZeros(text: string): string {
  let end = text.length;
  while (text[end - 1] === '0') end -= 1;
  return text.slice(0, end);
}
