import { type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { type EntityManager, MoreThan, Not } from 'typeorm';
import { isUniqueViolation } from './database-errors';
import { openSecret } from './envelope';
import { type KeyRing } from './key-ring';
import { sealRow } from './seal-row';
import { UpstreamKeyEntity } from './upstream-key.entity';
import { type UnreadableReason, UpstreamKeyUnreadable } from './upstream-key-unreadable';

export interface RotationOptions {
  /** The origin of an upstream's base URL, read when asked; null when there is none. */
  findOrigin: (upstreamId: UpstreamId) => Promise<string | null>;
  batchSize?: number;
  /** Told after each batch. */
  onProgress?: (report: RotationReport) => void;
}

/**
 * Why a row was left as it is: it does not open; its upstream has no usable base URL; its upstream
 * holds the same secret twice; or others kept changing it.
 */
export type RotationFailureReason = UnreadableReason | 'no_origin' | 'duplicate' | 'contended';

export interface RotationFailure {
  readonly upstreamKeyId: UpstreamKeyId;
  readonly reason: RotationFailureReason;
}

export interface RotationReport {
  readonly rotated: number;
  /** Rows that were gone or already rewritten by somebody else when their turn came. */
  readonly skipped: number;
  readonly failures: readonly RotationFailure[];
  /** Rows that the writing key has not written. Zero means that the older keys may leave the ring. */
  readonly remaining: number;
}

type Outcome = 'rotated' | 'skipped' | RotationFailureReason;

const DEFAULT_BATCH = 100;
const MOST_ATTEMPTS = 3;

/**
 * Re-encrypts, row by row, what the ring's writing key has not written. Safe while serving and
 * while others write: a row is replaced only if it still holds what was opened. It keeps no
 * position, so after an interruption it is simply run again.
 */
export async function rotateUpstreamKeys(manager: EntityManager, ring: KeyRing, options: RotationOptions): Promise<RotationReport> {
  const take = options.batchSize ?? DEFAULT_BATCH;
  const outdated = { encryptionKeyId: Not(ring.writingKeyId) };
  const failures: RotationFailure[] = [];
  let rotated = 0;
  let skipped = 0;
  let batch: UpstreamKeyEntity[] = [];
  const report = async () => ({ rotated, skipped, failures: [...failures], remaining: await manager.countBy(UpstreamKeyEntity, outdated) });
  do {
    const after = batch.at(-1);
    const where = after === undefined ? outdated : { ...outdated, id: MoreThan(after.id) };
    batch = await manager.find(UpstreamKeyEntity, { where, order: { id: 'ASC' }, take });
    for (const { id } of batch) {
      const outcome = await rotateRow(manager, ring, id, options.findOrigin);
      if (outcome === 'rotated') rotated++;
      else if (outcome === 'skipped') skipped++;
      else failures.push({ upstreamKeyId: id, reason: outcome });
    }
    if (batch.length > 0) options.onProgress?.(await report());
  } while (batch.length === take);
  return report();
}

/** Tries again when the row was changed meanwhile, also after a failure: its host may just have moved. */
async function rotateRow(
  manager: EntityManager,
  ring: KeyRing,
  id: UpstreamKeyId,
  findOrigin: RotationOptions['findOrigin'],
): Promise<Outcome> {
  let outcome: Outcome = 'contended';
  for (let attempt = 1; attempt <= MOST_ATTEMPTS && outcome !== 'rotated' && outcome !== 'skipped'; attempt++) {
    outcome = await tryRow(manager, ring, id, findOrigin);
  }
  return outcome;
}

async function tryRow(manager: EntityManager, ring: KeyRing, id: UpstreamKeyId, findOrigin: RotationOptions['findOrigin']): Promise<Outcome> {
  const row = await manager
    .createQueryBuilder(UpstreamKeyEntity, 'key')
    .addSelect('key.envelope')
    .where({ id, encryptionKeyId: Not(ring.writingKeyId) })
    .getOne();
  if (row === null) return 'skipped';
  const origin = await findOrigin(row.upstreamId);
  if (origin === null) return 'no_origin';
  const binding = { upstreamKeyId: id, upstreamId: row.upstreamId, origin };
  try {
    const sealed = await sealRow(ring, await openSecret(ring, row, binding), binding);
    const result = await manager
      .createQueryBuilder()
      .update(UpstreamKeyEntity)
      .set(sealed)
      // Compare and set: a secret that was replaced meanwhile must not come back.
      .where('id = :id AND envelope = CAST(:opened AS jsonb)', { id, opened: JSON.stringify(row.envelope) })
      .execute();
    return result.affected === 1 ? 'rotated' : 'contended';
  } catch (error) {
    if (error instanceof UpstreamKeyUnreadable) return error.reason;
    if (isUniqueViolation(error)) return 'duplicate';
    throw error;
  }
}
