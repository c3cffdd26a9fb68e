import { WeirError } from '@weir/kernel';
import { type Caller } from './caller';

const MOST_ENTRIES = 1000;
const LONGEST_ENTRY = 256;
/** A name without spaces or control characters; `*` only as its end. */
const ENTRY = /^[^\s*\p{C}]*\*?$/u;

/** The prefixes of a list, found at its first use. Lists are shared, so this costs one entry a list, not one a key. */
const prefixesByList = new WeakMap<ReadonlySet<string>, readonly string[]>();

/** True when the caller's key allows the model. */
export function mayUseModel(caller: Pick<Caller, 'models'>, model: string): boolean {
  const { models } = caller;
  if (models === null) return true;
  if (models.has(model)) return true;
  return getPrefixes(models).some((prefix) => model.startsWith(prefix));
}

function getPrefixes(models: ReadonlySet<string>): readonly string[] {
  let prefixes = prefixesByList.get(models);
  if (prefixes === undefined) {
    prefixes = [...models].filter((entry) => entry.endsWith('*')).map((entry) => entry.slice(0, -1));
    prefixesByList.set(models, prefixes);
  }
  return prefixes;
}

/**
 * Takes the models a key shall be allowed; an empty list allows all.
 * @throws WeirError invalid_request that names the entry.
 */
export function parseAllowedModels(value: unknown): string[] {
  if (!Array.isArray(value) || value.length > MOST_ENTRIES) {
    throw new WeirError('invalid_request', { message: `models must be a list of at most ${MOST_ENTRIES} names.`, param: 'models' });
  }
  return [...new Set(value.map(parseEntry))];
}

function parseEntry(entry: unknown, index: number): string {
  if (typeof entry === 'string' && entry !== '' && entry.length <= LONGEST_ENTRY && ENTRY.test(entry)) return entry;
  throw new WeirError('invalid_request', {
    message: `models[${index}] must be a model's name of at most ${LONGEST_ENTRY} characters, or a prefix that ends in "*".`,
    param: `models[${index}]`,
  });
}
