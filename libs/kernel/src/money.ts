/**
 * Money is integer nano-dollars (10⁻⁹ USD): 2⁵³ of them are nine million dollars, so a plain
 * number is exact wherever Weir adds them up.
 */
export type Nanos = number;

export const NANOS_PER_USD = 1_000_000_000;

/**
 * The cost of `quantity` units at `nanosPerMillion` nano-dollars per million units, rounded up to
 * a whole nano-dollar: a fraction is never given away.
 * Both must be non-negative safe integers.
 */
export function toCostNanos(quantity: number, nanosPerMillion: number): Nanos {
  const product = quantity * nanosPerMillion;
  // Below 2^53 the product is exact and BigInt can be spared.
  if (product <= Number.MAX_SAFE_INTEGER) return Math.ceil(product / 1_000_000);
  return Number((BigInt(quantity) * BigInt(nanosPerMillion) + 999_999n) / 1_000_000n);
}

/** Nano-dollars as a decimal string of dollars without trailing zeros: 1500000 → "0.0015". */
export function toUsdString(nanos: Nanos): string {
  const sign = nanos < 0 ? '-' : '';
  const absolute = Math.abs(nanos);
  const whole = Math.floor(absolute / NANOS_PER_USD);
  let fraction = absolute % NANOS_PER_USD;
  if (fraction === 0) return `${sign}${whole}`;
  let digits = 9;
  for (; fraction % 10 === 0; digits--) fraction /= 10;
  return `${sign}${whole}.${String(fraction).padStart(digits, '0')}`;
}

/** Dollars as a caller writes them to whole nano-dollars, rounded to nearest. */
export function toNanos(usd: number): Nanos {
  return Math.round(usd * NANOS_PER_USD);
}
