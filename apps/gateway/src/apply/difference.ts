import { scrubSecrets } from '@weir/platform';
import { type FieldChange } from '../admin/audit/audit-record.entity';
import { toShownField } from '../admin/errors/to-validation-error';

export type ObjectKind = 'organization' | 'project' | 'upstream' | 'upstream key' | 'model';

/** One thing that is not as it was declared, and what is done about it. */
export interface Difference {
  readonly action: 'create' | 'update' | 'delete';
  readonly kind: ObjectKind;
  /** What holds it goes first: `openai / main`. */
  readonly name: string;
  /** Field by field, as it is and as it shall be. A secret is only marked. */
  readonly changes: Readonly<Record<string, FieldChange>>;
}

/** What would have to go, but has more in it than the file made. */
export interface Kept {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly reason: string;
}

export interface ApplyReport {
  readonly differences: readonly Difference[];
  readonly kept: readonly Kept[];
}

const SIGNS = { create: '+', update: '~', delete: '-' } as const;
const LONGEST_VALUE = 500;
const NO_CHANGE = 'Nothing to change.\n';

/** The difference for people, line by line; never a secret. */
export function toDifferenceText({ differences, kept }: ApplyReport): string {
  const notes = kept.map(({ kind, name, reason }) => `! ${kind} ${toName(name)} stays: ${reason}\n`).join('');
  if (differences.length === 0) return notes + NO_CHANGE;
  const count = (action: Difference['action']): number => differences.filter((difference) => difference.action === action).length;
  const sums = `${count('create')} to make, ${count('update')} to change, ${count('delete')} to delete.\n`;
  return differences.map(toLines).join('') + notes + sums;
}

function toLines({ action, kind, name, changes }: Difference): string {
  const fields = action === 'delete' ? [] : Object.entries(changes);
  const lines = fields.map(([field, { old, new: now }]) => {
    const shown = field === 'secret' ? (action === 'create' ? 'given' : 'changed') : action === 'create' ? toValue(now) : `${toValue(old)} → ${toValue(now)}`;
    return `    ${field}: ${shown}\n`;
  });
  return `${SIGNS[action]} ${kind} ${toName(name)}\n${lines.join('')}`;
}

function toName(name: string): string {
  return toShownField(name);
}

/** On one line: what was stored by somebody else must not forge another. */
function toValue(value: unknown): string {
  const text = scrubSecrets(typeof value === 'string' ? value : JSON.stringify(value)).replace(/[\p{Cc}\u2028\u2029]/gu, '?');
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}
