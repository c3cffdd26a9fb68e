import { DAY_MS, type LimitPlan, makeLimitPlan, MINUTE_MS } from './limit-plan';

export interface KeyLimits {
  readonly organizationId: string;
  readonly keyId: string;
  /** Null: the installation's default. 0: no such limit. */
  readonly requestsPerMinute: number | null;
  readonly requestsPerDay: number | null;
  readonly defaultRpm: number;
  readonly defaultRpd: number;
}

/**
 * The plan of a caller's key. Make it when the key is loaded and keep it: it holds prebuilt texts.
 * @throws RangeError for a limit that is negative, fractional or beyond LARGEST_LIMIT.
 */
export function toLimitPlan(key: KeyLimits): LimitPlan {
  return makeLimitPlan(key.organizationId, [
    {
      scope: 'key',
      name: 'requests_per_minute',
      subject: key.keyId,
      windowMs: MINUTE_MS,
      limit: key.requestsPerMinute ?? key.defaultRpm,
    },
    {
      scope: 'key',
      name: 'requests_per_day',
      subject: key.keyId,
      windowMs: DAY_MS,
      limit: key.requestsPerDay ?? key.defaultRpd,
    },
  ]);
}
