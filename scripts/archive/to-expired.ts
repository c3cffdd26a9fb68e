const DAY_MS = 86_400_000;
/** The name says when it was made. */
const NAME = /^weir-(\d{4}-\d{2}-\d{2})T(\d{2})(\d{2})(\d{2})Z\.backup$/;

export interface Retention {
  /** So many of the newest stay; null is no rule. */
  readonly keep: number | null;
  /** What is not older than so many days stays; null is no rule. */
  readonly keepDays: number | null;
}

export function toBackupName(at: Date): string {
  return `weir-${at.toISOString().slice(0, 19).replaceAll(':', '')}Z.backup`;
}

/** Which of these files have had their time: those that no rule keeps. The newest one always stays, and so does what is no backup. */
export function toExpired(names: readonly string[], nowMs: number, { keep, keepDays }: Retention): string[] {
  if (keep === null && keepDays === null) return [];
  const newestFirst = names.flatMap((name) => toBackup(name) ?? []).sort((one, other) => other.madeMs - one.madeMs);
  return newestFirst
    .filter(({ madeMs }, index) => index > 0 && (keep === null || index >= keep) && (keepDays === null || nowMs - madeMs > keepDays * DAY_MS))
    .map(({ name }) => name);
}

function toBackup(name: string): { name: string; madeMs: number } | null {
  const [, day, hours, minutes, seconds] = NAME.exec(name) ?? [];
  const madeMs = Date.parse(`${day}T${hours}:${minutes}:${seconds}Z`);
  return Number.isNaN(madeMs) ? null : { name, madeMs };
}
