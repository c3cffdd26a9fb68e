import { toBucketMs } from './sliding-window';

export type LimitScope = 'key' | 'project' | 'organization' | 'model' | 'control_plane';
export type WindowName = 'requests_per_minute' | 'requests_per_day' | 'throttled_requests' | 'throttled_block';

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** Far above any honest limit, and far below where sums of it stop being exact. */
export const LARGEST_LIMIT = 1_000_000_000_000;
/** Longer windows would outlive the partitions that a lost counter is rebuilt from. */
const LARGEST_WINDOW_MS = 366 * DAY_MS;

/** One limit: at most `limit` in any trailing `windowMs`, for `subject`. */
export interface WindowLimit {
  readonly scope: LimitScope;
  readonly name: WindowName;
  /** The id of what is limited. */
  readonly subject: string;
  readonly windowMs: number;
  readonly limit: number;
}

/** The limits that one admission must pass, all or nothing. Made once a key and used again. */
export interface LimitPlan {
  readonly organizationId: string;
  readonly windows: readonly WindowLimit[];
  /** Redis keys, one a window, all with the organization's hash tag. */
  readonly keys: readonly string[];
  /** How the plan goes over the wire when one is taken; see admit.lua.ts. */
  readonly takeOneText: string;
}

/**
 * Makes a plan of windows that are already decided; a limit of 0 means that there is no such window.
 * @throws RangeError for a limit or a window that is not a whole number within bounds.
 */
export function makeLimitPlan(organizationId: string, windows: readonly WindowLimit[]): LimitPlan {
  // A brace would end the hash tag early and scatter one organization's keys over a cluster.
  if (organizationId === '' || /[{}]/.test(organizationId)) throw new RangeError('organizationId: not usable as a hash tag');
  for (const window of windows) {
    assertWholeNumber(window.name, window.limit, 0, LARGEST_LIMIT);
    assertWholeNumber(`${window.name}.windowMs`, window.windowMs, 1, LARGEST_WINDOW_MS);
  }
  const present = windows.filter((window) => window.limit > 0);
  return {
    organizationId,
    windows: present,
    keys: present.map((window) => `rate_limit:{${organizationId}}:${window.scope}:${window.subject}:${window.name}`),
    takeOneText: toPlanText(present, true, 1),
  };
}

/** What the script reads of one admission: whether to take, then kind, amount, limit and bucket of each control. */
export function toPlanText(windows: readonly WindowLimit[], take: boolean, amount: number): string {
  let text = take ? '1' : '0';
  for (const window of windows) text += ` 1 ${amount} ${window.limit} ${toBucketMs(window.windowMs)}`;
  return text;
}

/** The same plan with each limit divided among so many processes, at least 1 each. */
export function toSharedPlan(plan: LimitPlan, processCount: number): LimitPlan {
  return makeLimitPlan(
    plan.organizationId,
    plan.windows.map((window) => ({ ...window, limit: Math.max(1, Math.floor(window.limit / processCount)) })),
  );
}

/** @throws RangeError when it is no amount that could ever be admitted. */
export function assertAmount(amount: number): void {
  assertWholeNumber('amount', amount, 1, LARGEST_LIMIT);
}

function assertWholeNumber(name: string, value: number, lowest: number, highest: number): void {
  if (!Number.isInteger(value) || value < lowest || value > highest) {
    throw new RangeError(`${name}: must be a whole number from ${lowest} to ${highest}`);
  }
}
