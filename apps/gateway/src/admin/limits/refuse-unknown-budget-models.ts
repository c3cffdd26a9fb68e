import { readStoredBudgets } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { type UpstreamPool } from '@weir/upstreams';
import { type EntityManager } from 'typeorm';
import { findUnknownModel } from '../models/find-unknown-model';
import { readKnownModels } from '../models/read-known-models';
import { type BudgetInput } from './budget.dto';

/**
 * A budget for a name that nobody can ask for would hold nothing back, and somebody would rely on it.
 * What the row named already may stay.
 * @throws WeirError invalid_request naming `budgets[0].model`.
 */
export async function refuseUnknownBudgetModels(
  manager: EntityManager,
  pool: UpstreamPool,
  budgets: readonly BudgetInput[] | null | undefined,
  stored: unknown,
): Promise<void> {
  const named = (budgets ?? []).flatMap(({ model }, index) => (model === null || model === undefined ? [] : [{ model, index }]));
  if (named.length === 0) return;
  // A pattern is no name, though some model may be called so: the parser of budgets refuses it in its own words.
  const exact = named.filter(({ model }) => !model.includes('*'));
  const known = [...(await readKnownModels(manager, pool)), ...listModels(stored)];
  const unknown = findUnknownModel(exact.map(({ model }) => model), known);
  if (unknown === null) return;
  const param = `budgets[${exact[unknown].index}].model`;
  throw new WeirError('invalid_request', { message: `The field ${param} names no model.`, param });
}

function listModels(stored: unknown): string[] {
  try {
    return readStoredBudgets(stored).flatMap(({ model }) => model ?? []);
  } catch {
    return [];
  }
}
