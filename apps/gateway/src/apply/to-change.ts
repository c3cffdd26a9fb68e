import { isDeepStrictEqual } from 'node:util';
import { type FieldChange } from '../admin/audit/audit-record.entity';

/** What has to be written so that a thing is as declared, and the same for people. */
export interface Change<Fields> {
  /** Only the fields that differ. Empty: it is as declared. */
  readonly fields: Partial<Fields>;
  readonly changes: Record<string, FieldChange>;
}

/**
 * Compares a thing as it is with what is declared of it. Fields that are not declared stay.
 * @param current and `wanted` in the same form
 */
export function toChange<Fields extends object>(current: object, wanted: Fields): Change<Fields> {
  const changes: Record<string, FieldChange> = {};
  const fields: Partial<Fields> = {};
  for (const name of keysOf(wanted)) {
    const change = { old: toPlain(Reflect.get(current, name) ?? null), new: toPlain(wanted[name] ?? null) };
    if (wanted[name] === undefined || isDeepStrictEqual(change.old, change.new)) continue;
    changes[name] = change;
    fields[name] = wanted[name];
  }
  return { fields, changes };
}

/** What is shown of a thing that is made: all that was declared of it, but for its name, which stands over it. */
export function toCreation(wanted: object): Record<string, FieldChange> {
  const given = Object.entries(wanted).filter(([name, value]) => name !== 'name' && value !== undefined && value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name, { old: null, new: toPlain(value) }]));
}

export function isEmpty(changes: object): boolean {
  return Object.keys(changes).length === 0;
}

function keysOf<Fields extends object>(fields: Fields): (string & keyof Fields)[] {
  return Object.keys(fields).filter((name): name is string & keyof Fields => Object.hasOwn(fields, name));
}

/** An object of a class equals no plain one, though their fields be the same. */
function toPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined).map(([name, field]) => [name, toPlain(field)]));
}
