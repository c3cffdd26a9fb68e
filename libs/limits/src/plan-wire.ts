import { type KeysWithin, type Limit, type PlanWire } from './meter-store';
import { toBucketMs } from './sliding-window';

/** Counters of an ended span are kept for so long: for calls that end late, and for people who look. */
export const BUDGET_KEPT_AFTER_SPAN_MS = 2 * 86_400_000;

/** One call of the script has many admissions: each is one text, which begins like this. */
export function toAdmitHead(take: boolean, requests: number, tokens: number, leastNanos: number, mostNanos: number, requestId: string): string {
  return `${take ? 'admit' : 'peek'} ${requestId} ${requests} ${tokens} ${leastNanos} ${mostNanos}`;
}

export function toPlanWire(limits: readonly Limit[], keys: readonly string[]): PlanWire {
  const wireKeys: string[] = [];
  const grantKeys: string[] = [];
  let text = '';
  let grantText = '';
  limits.forEach((limit, index) => {
    const own = toOwnKeys(limit, keys[index]);
    const part = toControlText(limit);
    wireKeys.push(...own);
    text += part;
    if (limit.kind === 'window' && limit.unit === 'requests') return;
    grantKeys.push(...own);
    grantText += part;
  });
  const tokenIndexes = [...limits.keys()].filter((index) => isTokenWindow(limits[index]));
  const takeOneText = grantText === '' ? toAdmitHead(true, 1, 0, 0, 0, '-') + text : null;
  return { keys: wireKeys, text, takeOneText, grantKeys, grantText, grantKeysWithin: findWithin(grantKeys, wireKeys), tokenIndexes, hasBudgets: limits.some((limit) => limit.kind === 'budget') };
}

/** Null when there are none, too. */
function findWithin(some: readonly string[], keys: readonly string[]): KeysWithin | null {
  const at = keys.indexOf(some[0]);
  return at !== -1 && some.every((key, index) => key === keys[at + index]) ? { keys, at } : null;
}

function isTokenWindow(limit: Limit): boolean {
  return limit.kind === 'window' && limit.unit === 'tokens';
}

/** Script and server may only touch keys that are declared, so the sets beside a counter are, too. */
function toOwnKeys(limit: Limit, key: string): string[] {
  switch (limit.kind) {
    case 'window':
      return limit.unit === 'tokens' ? [key, `${key}:open`] : [key];
    case 'lease':
      return [key];
    case 'budget':
      return [key, `${key}:holds`];
  }
}

/** The kinds of meter.lua.ts: 1 requests, 2 tokens, 3 lease, 4 budget. */
export function toControlText(limit: Limit): string {
  switch (limit.kind) {
    case 'window':
      return ` ${limit.unit === 'requests' ? 1 : 2} ${limit.limit} ${toBucketMs(limit.windowMs)}`;
    case 'lease':
      return ` 3 ${limit.limit} 0`;
    case 'budget':
      return ` 4 ${limit.limit} ${limit.span.toMs === null ? 0 : limit.span.toMs + BUDGET_KEPT_AFTER_SPAN_MS}`;
  }
}
