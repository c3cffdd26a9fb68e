import { type Clock } from '@weir/kernel';
import { DAY_MS, toLimitKey } from './limit-plan';
import { type LimitScope, type MeterStore, type WindowLimit } from './meter-store';

/** What the ledger knows of one subject's requests in one stretch of time. */
export interface DayRequests {
  readonly organizationId: string;
  readonly scope: Exclude<LimitScope, 'control_plane'>;
  /** As in the plan's limit: the id of the key, project, organization or model. */
  readonly subject: string;
  /** When the stretch began; an hour long at most. */
  readonly atMs: number;
  readonly requests: number;
}

export interface WindowSource {
  /** The requests since `fromMs`, in any order. @throws when the ledger cannot be read. */
  readDayRequests(fromMs: number): AsyncIterable<DayRequests>;
}

interface DayWindow {
  readonly organizationId: string;
  readonly takes: { readonly ageMs: number; readonly amount: number }[];
}

/**
 * Fills the windows of requests a day from the ledger: a day is too long to be forgotten by a
 * restart. A window takes it once, and adds it to what it has counted since.
 * @param beforeMs what was counted elsewhere from then on; null: nothing was.
 * @returns how many windows were filled.
 */
export async function fillDayWindows(store: MeterStore, source: WindowSource, clock: Clock, beforeMs: number | null): Promise<number> {
  const nowMs = clock.nowMs();
  const windows = new Map<string, DayWindow>();
  for await (const row of source.readDayRequests(nowMs - DAY_MS)) {
    if (row.requests <= 0 || (beforeMs !== null && row.atMs >= beforeMs)) continue;
    const key = toLimitKey(row.organizationId, toDayLimit(row));
    let window = windows.get(key);
    if (window === undefined) windows.set(key, (window = { organizationId: row.organizationId, takes: [] }));
    window.takes.push({ ageMs: Math.max(0, nowMs - row.atMs), amount: row.requests });
  }
  for (const [key, { organizationId, takes }] of windows) await store.seedWindow(organizationId, key, DAY_MS, takes);
  return windows.size;
}

function toDayLimit({ scope, subject, requests }: DayRequests): WindowLimit {
  return { kind: 'window', scope, name: 'requests_per_day', unit: 'requests', subject, windowMs: DAY_MS, limit: requests };
}
