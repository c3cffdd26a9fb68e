import { WeirError } from '@weir/kernel';
import { ModelEntity } from '@weir/upstreams';
import { type EntityManager } from 'typeorm';
import { type FallbackFault, findFallbackFaults } from './find-fallback-faults';

/** Names the lock among the database's advisory locks: the bytes of "modl". */
const MODELS_LOCK = 0x6d6f646c;
const MOST_MODELS_NAMED = 10;

/** Changes of models come one after the other until the transaction ends: two could else make a cycle that neither sees. */
export async function lockModels(manager: EntityManager): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock($1)', [MODELS_LOCK]);
}

/** What is wrong with fallbacks now; for `refuseNewFallbackFaults` after the change. Call `lockModels` first. */
export async function readFallbackFaults(manager: EntityManager): Promise<FallbackFault[]> {
  return findFallbackFaults(await manager.find(ModelEntity, { select: { id: true, name: true, operation: true, fallbacks: true } }));
}

/**
 * Refuses a change that gives any model a fallback which cannot serve it. What was wrong before
 * stands in nobody's way.
 * @param changed the changed model's name as it is now; null when it was deleted
 * @throws WeirError invalid_request naming the model's own fallback, or conflict naming the models that need it as it was
 */
export async function refuseNewFallbackFaults(manager: EntityManager, before: readonly FallbackFault[], changed: string | null): Promise<void> {
  const known = new Set(before.map(({ model, fallback, kind }) => `${model} ${fallback} ${kind}`));
  const found = (await readFallbackFaults(manager)).filter(({ model, fallback, kind }) => !known.has(`${model} ${fallback} ${kind}`));
  const own = found.find(({ model }) => model === changed);
  if (own !== undefined) throw new WeirError('invalid_request', { message: toMessage(own), param: `fallbacks[${own.index}]` });
  if (found.length === 0) return;
  const names = [...new Set(found.map(({ model }) => model))];
  const more = names.length > MOST_MODELS_NAMED ? ` and ${names.length - MOST_MODELS_NAMED} more` : '';
  throw new WeirError('conflict', { message: `Models name it as a fallback: ${names.slice(0, MOST_MODELS_NAMED).join(', ')}${more}. Change them first.` });
}

function toMessage({ index, kind }: FallbackFault): string {
  switch (kind) {
    case 'unknown':
      return `The field fallbacks[${index}] names no model.`;
    case 'operation':
      return `The field fallbacks[${index}] names a model of another operation.`;
    case 'cycle':
      return `The field fallbacks[${index}] leads back to the model itself.`;
  }
}
