import { WeirError } from '@weir/kernel';

/** No model has vectors longer than this; a server that sends one is broken. */
const MAX_DIMENSIONS = 65_536;

/**
 * Checks an upstream's vectors: as many as there were inputs, all of one length, of finite numbers.
 * @param dimensions the length that the caller asked for; null when it did not
 * @throws WeirError upstream_error
 */
export function readVectors(vectors: readonly unknown[], inputCount: number, dimensions: number | null): number[][] {
  if (vectors.length !== inputCount) throw toBrokenAnswer(`has ${vectors.length} vectors for ${inputCount} inputs`);
  const read = vectors.map(readVector);
  const { length } = read[0];
  if (read.some((vector) => vector.length !== length)) throw toBrokenAnswer('has vectors of different lengths');
  // Older servers overlook `dimensions`. A vector cut by Weir would be wrong for most models.
  if (dimensions !== null && length !== dimensions) throw toBrokenAnswer(`has vectors of ${length} numbers instead of ${dimensions}`);
  return read;
}

/**
 * Puts `[{index, embedding}]` into the order of the inputs. An index that comes twice leaves another
 * without a vector, which readVectors refuses.
 * @throws WeirError upstream_error
 */
export function toOrderedVectors(items: readonly { readonly index: number; readonly vector: unknown }[]): unknown[] {
  const ordered = Array.from<unknown>({ length: items.length }).fill(undefined);
  for (const { index, vector } of items) {
    if (!Number.isInteger(index) || index < 0 || index >= items.length) throw toBrokenAnswer('has an index out of range');
    ordered[index] = vector;
  }
  return ordered;
}

/** A number, also one that was kept as its text by parseExactJson. Null for everything else, and what is not finite. */
export function readFinite(value: unknown): number | null {
  const number = typeof value === 'number' ? value : readRawNumber(value);
  return Number.isFinite(number) ? number : null;
}

function readVector(vector: unknown): number[] {
  if (!Array.isArray(vector) || vector.length === 0 || vector.length > MAX_DIMENSIONS) throw toBrokenAnswer('has no vector where one must be');
  return vector.map((value: unknown) => {
    const number = readFinite(value);
    if (number === null) throw toBrokenAnswer('has a vector with something else than finite numbers');
    return number;
  });
}

function readRawNumber(value: unknown): number {
  return typeof value === 'object' && value !== null && JSON.isRawJSON(value) && 'rawJSON' in value ? Number(value.rawJSON) : NaN;
}

function toBrokenAnswer(what: string): WeirError {
  return new WeirError('upstream_error', { detail: `the upstream's embeddings: the answer ${what}` });
}
