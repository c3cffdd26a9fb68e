import { type KeyReporter } from './key-reporter';
import { type KeyState } from './key-state';
import { type OpenedKey } from './pool-snapshot';

/** How long past its end another process may take to say that its ejection is over. */
const FOREIGN_EJECTION_GRACE_MS = 60_000;

/** Takes a row for a key that this process sees for the first time, or whose secret is new. */
export function learnKeyRow(key: KeyState, row: OpenedKey, previous: OpenedKey | null, reporter: KeyReporter, nowMs: number): void {
  key.seen = row;
  key.enabled = row.enabled;
  key.failureCount = row.failureCount;
  // A status that stands unchanged beside a new secret was about the old one.
  const isAboutOldSecret = previous !== null && isSameStatus(row, previous);
  if (!isAboutOldSecret) learnStatus(key, row, nowMs);
  showAsStored(key, row, reporter, nowMs);
  if (isAboutOldSecret) reporter.touch(key, nowMs);
}

/**
 * Takes a newer reading of a key's row. Only what changed since the last reading is news: a row
 * that does not yet show what was learnt here, or that shows what was told from here, changes nothing.
 */
export function mergeKeyRow(key: KeyState, row: OpenedKey, reporter: KeyReporter, nowMs: number): void {
  const seen = key.seen ?? row;
  const isEnabledAnew = row.enabled && !key.enabled;
  key.seen = row;
  key.enabled = row.enabled;
  mergeFailureCount(key, row, reporter);
  if (isEnabledAnew) {
    forgive(key, row, reporter, nowMs);
    showAsStored(key, row, reporter, nowMs);
    reporter.touch(key, nowMs);
    return;
  }
  if (isSameStatus(row, seen) && row.revision === seen.revision) return;
  if (row.status === 'active' || row.status === 'disabled') {
    mergeVerdict(key, row, seen, reporter, nowMs);
  } else if (!isSameStatus(row, seen)) {
    learnStatus(key, row, nowMs);
    showAsStored(key, row, reporter, nowMs);
  }
}

/** `active` and `disabled` may be a person's word, or the echo of what this process told. */
function mergeVerdict(key: KeyState, row: OpenedKey, seen: OpenedKey, reporter: KeyReporter, nowMs: number): void {
  if (row.status === 'disabled') {
    if (!key.isRefused) learnStatus(key, row, nowMs);
  } else {
    // What nobody could read yet, nobody can have overruled.
    if (!reporter.isStatusTold(key, nowMs)) return;
    const { status } = key.viewAt(nowMs);
    // A row that said active before and says so again was written anew. That overrules what only
    // a person or much time ends; cooling and ejections end soon, and may be newer than the row.
    const isLasting = status === 'disabled' || status === 'exhausted';
    if (status !== 'active' && (seen.status !== 'active' || isLasting)) forgive(key, row, reporter, nowMs);
  }
  showAsStored(key, row, reporter, nowMs);
}

/** Somebody who knows says that the key is good: it starts afresh, its count where the row has it. */
function forgive(key: KeyState, row: OpenedKey, reporter: KeyReporter, nowMs: number): void {
  key.learnActive(nowMs);
  key.failureCount = row.failureCount;
  reporter.countKnown(key, row.failureCount);
}

function learnStatus(key: KeyState, row: OpenedKey, nowMs: number): void {
  switch (row.status) {
    case 'disabled':
      key.learnRefused();
      return;
    case 'exhausted':
      key.learnExhausted(row.statusUntilMs ?? 0, nowMs);
      return;
    case 'cooling':
      key.learnCooling(row.statusReason ?? null, row.statusUntilMs ?? 0, nowMs);
      return;
    case 'active':
    // Each process judges by its own calls whether a key fails: an ejection is not taken over.
    case 'ejected':
      return;
  }
}

function showAsStored(key: KeyState, row: OpenedKey, reporter: KeyReporter, nowMs: number): void {
  const untilMs = row.statusUntilMs;
  const isForeignEjection = row.status === 'ejected' && !key.isEjected && (untilMs ?? 0) + FOREIGN_EJECTION_GRACE_MS > nowMs;
  // Another process ejected it and will say when that ends: not ours to overwrite.
  if (isForeignEjection) reporter.known(key, { status: 'active', reason: null, untilMs: null }, nowMs);
  else reporter.known(key, { status: row.status, reason: row.statusReason ?? key.viewAt(nowMs).reason, untilMs }, nowMs);
}

function mergeFailureCount(key: KeyState, row: OpenedKey, reporter: KeyReporter): void {
  const untold = reporter.untoldFailures(key);
  const stored = Math.max(row.failureCount, key.failureCount - untold);
  if (stored + untold === key.failureCount) return;
  reporter.countKnown(key, stored);
  key.failureCount = stored + untold;
}

function isSameStatus(left: OpenedKey, right: OpenedKey): boolean {
  return left.status === right.status && left.statusUntilMs === right.statusUntilMs;
}
