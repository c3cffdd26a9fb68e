import { type BlobStore } from './blob-store';

const BATCH = 500;

/** What a sweep of a store goes by. */
export interface OrphanSweep<Name extends string> {
  readonly store: BlobStore<Name>;
  /** The installation's own. */
  readonly folder: string;
  /** Only what was stored before it: a younger file may be somebody's whose row comes later. */
  readonly beforeMs: number;
  /** Which of the names have no row. */
  readonly findUnknown: (names: readonly Name[]) => Promise<readonly Name[]>;
}

/**
 * Deletes files that have no row, and what uploads from before `beforeMs` left unfinished.
 * @returns how many
 */
export async function sweepOrphans<Name extends string>({ store, folder, beforeMs, findUnknown }: OrphanSweep<Name>): Promise<number> {
  let swept = await store.dropUnfinished(folder, beforeMs);
  let batch: Name[] = [];
  const sweepBatch = async (): Promise<void> => {
    const orphans = await findUnknown(batch);
    for (const name of orphans) await store.delete({ folder, name });
    swept += orphans.length;
    batch = [];
  };
  for await (const { name, storedAtMs } of store.list(folder)) {
    if (storedAtMs < beforeMs) batch.push(name);
    if (batch.length === BATCH) await sweepBatch();
  }
  if (batch.length > 0) await sweepBatch();
  return swept;
}
