import { NO_LIMITS, type ScopeLimits } from './scope-limits';
import { WeirError } from './weir-error';

/** As callers of the admin API write limits, and as the `limits` columns keep them. */
export interface StoredScopeLimits {
  rpm?: number;
  tpm?: number;
  rpd?: number;
  concurrency?: number;
}

/** Above this a limit limits nothing, and the windows' arithmetic need not be exact. */
export const LARGEST_SCOPE_LIMIT = 1_000_000_000;

export const SCOPE_LIMIT_NAMES = ['rpm', 'tpm', 'rpd', 'concurrency'] as const satisfies readonly (keyof StoredScopeLimits)[];

const KNOWN_NAMES: ReadonlySet<string> = new Set(SCOPE_LIMIT_NAMES);

/**
 * Takes the limits that a row shall have. Null or absent, whole or by field, says nothing.
 * @throws WeirError invalid_request that names the field; an unknown field is refused, because a
 * limit that is silently not kept is worse than none.
 */
export function parseScopeLimits(value: unknown): ScopeLimits {
  const fields = toFields(value);
  const unknown = Object.keys(fields).find((name) => !KNOWN_NAMES.has(name));
  if (unknown !== undefined) throw new WeirError('invalid_request', { message: 'limits has an unknown field.', param: 'limits' });
  return readFields(fields);
}

/**
 * Reads a stored row: as `parseScopeLimits`, but passes over fields it does not know. While a newer
 * version is rolled out its rows must not lock callers out of the older processes.
 */
export function readStoredScopeLimits(value: unknown): ScopeLimits {
  return readFields(toFields(value));
}

export function toStoredScopeLimits(limits: ScopeLimits): StoredScopeLimits {
  const stored: StoredScopeLimits = {};
  if (limits.requestsPerMinute !== null) stored.rpm = limits.requestsPerMinute;
  if (limits.tokensPerMinute !== null) stored.tpm = limits.tokensPerMinute;
  if (limits.requestsPerDay !== null) stored.rpd = limits.requestsPerDay;
  if (limits.concurrency !== null) stored.concurrency = limits.concurrency;
  return stored;
}

type Fields = Partial<Record<string, unknown>>;

function toFields(value: unknown): Fields {
  if (value === null || value === undefined) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return { ...value };
  throw new WeirError('invalid_request', { message: 'limits must be an object.', param: 'limits' });
}

function readFields({ rpm, tpm, rpd, concurrency }: Fields): ScopeLimits {
  const limits = {
    requestsPerMinute: readLimit(rpm, 'limits.rpm'),
    requestsPerDay: readLimit(rpd, 'limits.rpd'),
    tokensPerMinute: readLimit(tpm, 'limits.tpm'),
    concurrency: readLimit(concurrency, 'limits.concurrency'),
  };
  return Object.values(limits).every((limit) => limit === null) ? NO_LIMITS : limits;
}

function readLimit(value: unknown, param: string): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LARGEST_SCOPE_LIMIT) return value;
  throw new WeirError('invalid_request', { message: `${param} must be a whole number from 0 (no limit) to ${LARGEST_SCOPE_LIMIT}.`, param });
}
