import { stat } from 'node:fs/promises';
import { OrphanCalls, type RecoveredCall } from './orphan-calls';
import { readStretch } from './segment-reader';
import { type SpoolFolder } from './spool-folder';
import { type SpoolRecord } from './spool-record';

export interface SpoolRecovery {
  /** Stores rows. False: stop here. */
  readonly upload: (rowTexts: readonly string[]) => Promise<boolean>;
  /** Settles calls. False: stop here. */
  readonly settle: (calls: readonly RecoveredCall[]) => Promise<boolean>;
  /** A record is damaged: its row, if it was one, is lost. */
  readonly onCorrupt: (folder: string, segment: number, offset: number) => void;
}

const CHUNK = 500;

/**
 * Brings everything in a dead process's spool where it belongs, and deletes the spool. May be stopped
 * anywhere and begun again: what was done then is done once more without effect.
 * @returns how many rows it held; null when it was stopped.
 */
export async function recoverSpool(folder: SpoolFolder, recovery: SpoolRecovery): Promise<number | null> {
  const calls = new OrphanCalls();
  let rows = 0;
  for (const segment of folder.listSegments()) {
    const path = folder.toSegmentPath(segment);
    const { size } = await stat(path);
    for (let offset = 0; offset < size; ) {
      const { records, corruptAt, length } = await readStretch(path, offset, size);
      for (const at of corruptAt) recovery.onCorrupt(folder.name, segment, offset + at);
      const texts = records.flatMap((record) => noteRecord(calls, record, () => recovery.onCorrupt(folder.name, segment, offset)) ?? []);
      if (!(await recovery.upload(texts))) return null;
      rows += texts.length;
      offset += length;
    }
  }
  const unknownRows = calls.toUnknownRows();
  if (!(await inChunks(unknownRows, recovery.upload))) return null;
  // All at once: where a budget must be counted from the ledger first, none of them may be counted there.
  const orphans = calls.toCalls();
  if (orphans.length > 0 && !(await recovery.settle(orphans))) return null;
  await folder.remove();
  return rows + unknownRows.length;
}

function noteRecord(calls: OrphanCalls, record: SpoolRecord, onCorrupt: () => void): string | null {
  try {
    return calls.note(record);
  } catch {
    onCorrupt();
    return null;
  }
}

async function inChunks<Item>(items: readonly Item[], take: (chunk: readonly Item[]) => Promise<boolean>): Promise<boolean> {
  for (let index = 0; index < items.length; index += CHUNK) {
    if (!(await take(items.slice(index, index + CHUNK)))) return false;
  }
  return true;
}
