import { matchModelName } from './match-model-name';

/** A model as far as its fallbacks go. */
export interface FallbackModel {
  readonly name: string;
  readonly operation: string;
  readonly fallbacks: readonly string[];
}

export interface FallbackFault {
  readonly model: string;
  readonly fallback: string;
  /** Where in the model's list. */
  readonly index: number;
  /** `unknown`: no model has the name. `operation`: it does other work. `cycle`: it leads back to the model. */
  readonly kind: 'unknown' | 'operation' | 'cycle';
}

/** Every fallback that cannot serve its model, of all models. */
export function findFallbackFaults(models: readonly FallbackModel[]): FallbackFault[] {
  const byName = new Map(models.map((model) => [model.name, model]));
  const find = (name: string): FallbackModel | null => {
    const match = name.includes('*') ? null : matchModelName(name, byName);
    return match === null ? null : (byName.get(match) ?? null);
  };
  return models.flatMap((model) =>
    model.fallbacks.flatMap((fallback, index): FallbackFault[] => {
      const kind = findFault(model, find(fallback), find);
      return kind === null ? [] : [{ model: model.name, fallback, index, kind }];
    }),
  );
}

function findFault(model: FallbackModel, found: FallbackModel | null, find: (name: string) => FallbackModel | null): FallbackFault['kind'] | null {
  if (found === null) return 'unknown';
  if (found.operation !== model.operation) return 'operation';
  return leadsTo(found, model, find) ? 'cycle' : null;
}

function leadsTo(from: FallbackModel, to: FallbackModel, find: (name: string) => FallbackModel | null): boolean {
  const seen = new Set<FallbackModel>();
  const open = [from];
  for (let model = open.pop(); model !== undefined; model = open.pop()) {
    if (model === to) return true;
    if (seen.has(model)) continue;
    seen.add(model);
    for (const fallback of model.fallbacks) {
      const next = find(fallback);
      if (next !== null) open.push(next);
    }
  }
  return false;
}
