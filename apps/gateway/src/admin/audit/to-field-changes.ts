import { isDeepStrictEqual } from 'node:util';
import { type FieldChange } from './audit-record.entity';

/** Stands for a secret in the audit log: that it changed is told, what it was is not. */
export const SECRET_MARK = '[secret]';

/** Fields that say nothing about what somebody did. */
const UNTOLD: ReadonlySet<string> = new Set(['object', 'id', 'created_at', 'updated_at']);

type Fields = Readonly<Record<string, unknown>>;

/** Which fields differ between two views of an object; null for "was not there". */
export function toFieldChanges(before: object | null, after: object | null): Record<string, FieldChange> {
  const old: Fields = { ...before };
  const now: Fields = { ...after };
  const changes: Record<string, FieldChange> = {};
  for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) {
    const change = { old: old[name] ?? null, new: now[name] ?? null };
    if (!UNTOLD.has(name) && !isDeepStrictEqual(change.old, change.new)) changes[name] = change;
  }
  return changes;
}
