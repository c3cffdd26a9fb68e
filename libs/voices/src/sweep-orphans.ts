import { type VoiceId } from './voice';
import { type VoiceStore } from './voice-store';
import { type VoiceTable } from './voice-table';

const BATCH = 500;

/**
 * Deletes files stored before `beforeMs` that have no row, and what uploads from before it left unfinished.
 * @returns how many
 */
export async function sweepOrphans(table: VoiceTable, store: VoiceStore, beforeMs: number): Promise<number> {
  const folder = await table.getFolder();
  let swept = await store.dropUnfinished(folder, beforeMs);
  let batch: VoiceId[] = [];
  const sweepBatch = async (): Promise<void> => {
    const orphans = await table.findUnknown(batch);
    for (const id of orphans) await store.delete({ folder, id });
    swept += orphans.length;
    batch = [];
  };
  for await (const { id, storedAtMs } of store.list(folder)) {
    if (storedAtMs < beforeMs) batch.push(id);
    if (batch.length === BATCH) await sweepBatch();
  }
  if (batch.length > 0) await sweepBatch();
  return swept;
}
