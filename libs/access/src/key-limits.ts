import { WeirError } from '@weir/kernel';

/** Null is the installation's default, 0 no limit. */
export interface KeyLimits {
  readonly requestsPerMinute: number | null;
  readonly requestsPerDay: number | null;
}

/** As it is written by callers of the admin API and kept in `proxy_keys.limits`. */
export type StoredKeyLimits = { rpm?: number; rpd?: number };

/** Above this a limit limits nothing, and the windows' arithmetic need not be exact. */
const LARGEST_LIMIT = 1_000_000_000;
const FIELDS: ReadonlySet<string> = new Set(['rpm', 'rpd']);

/**
 * Takes the limits a key shall have. Null or absent, whole or by field, is the installation's default.
 * @throws WeirError invalid_request that names the field; an unknown field is refused, because a
 * limit that is silently not kept is worse than none.
 */
export function parseKeyLimits(value: unknown): KeyLimits {
  const fields = toFields(value);
  const unknown = Object.keys(fields).find((name) => !FIELDS.has(name));
  if (unknown !== undefined) throw new WeirError('invalid_request', { message: 'limits has an unknown field.', param: 'limits' });
  return readFields(fields);
}

/**
 * Reads a stored row: as `parseKeyLimits`, but passes over fields it does not know. While a newer
 * version is rolled out its rows must not lock callers out of the older processes.
 */
export function readStoredKeyLimits(value: unknown): KeyLimits {
  return readFields(toFields(value));
}

export function toStoredKeyLimits(limits: KeyLimits): StoredKeyLimits {
  const stored: StoredKeyLimits = {};
  if (limits.requestsPerMinute !== null) stored.rpm = limits.requestsPerMinute;
  if (limits.requestsPerDay !== null) stored.rpd = limits.requestsPerDay;
  return stored;
}

function toFields(value: unknown): Partial<Record<string, unknown>> {
  if (value == null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return { ...value };
  throw new WeirError('invalid_request', { message: 'limits must be an object.', param: 'limits' });
}

function readFields(fields: Partial<Record<string, unknown>>): KeyLimits {
  return { requestsPerMinute: readLimit(fields.rpm, 'limits.rpm'), requestsPerDay: readLimit(fields.rpd, 'limits.rpd') };
}

function readLimit(value: unknown, param: string): number | null {
  if (value == null) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LARGEST_LIMIT) return value;
  throw new WeirError('invalid_request', { message: `${param} must be a whole number from 0 (no limit) to ${LARGEST_LIMIT}.`, param });
}
