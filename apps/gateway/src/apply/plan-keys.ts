/** A key that an upstream holds. */
export interface HeldKey {
  readonly id: string;
  readonly label: string;
}

/** A declared key, and which held key has its secret already; null for a secret that is not held. */
export interface WantedKey {
  readonly label: string;
  readonly heldId: string | null;
}

export type KeyStep<Key extends WantedKey> =
  | { readonly action: 'keep'; readonly key: Key; readonly id: string }
  | { readonly action: 'rename'; readonly key: Key; readonly id: string; readonly oldLabel: string }
  | { readonly action: 'replace'; readonly key: Key; readonly id: string }
  | { readonly action: 'add'; readonly key: Key };

export interface KeyPlan<Key extends WantedKey> {
  readonly steps: readonly KeyStep<Key>[];
  /** Held, and not declared. */
  readonly unnamed: readonly HeldKey[];
}

/**
 * What is to be done with the keys of an upstream. A secret that is held is that key, whatever its
 * label was; a new secret under a label that is held takes that one's place.
 */
export function planKeys<Key extends WantedKey>(wanted: readonly Key[], held: readonly HeldKey[]): KeyPlan<Key> {
  const taken = new Set(wanted.flatMap(({ heldId }) => heldId ?? []));
  const steps = wanted.map((key): KeyStep<Key> => {
    const same = held.find(({ id }) => id === key.heldId);
    if (same !== undefined) return same.label === key.label ? { action: 'keep', key, id: same.id } : { action: 'rename', key, id: same.id, oldLabel: same.label };
    const labelled = held.find(({ id, label }) => label === key.label && !taken.has(id));
    if (labelled === undefined) return { action: 'add', key };
    taken.add(labelled.id);
    return { action: 'replace', key, id: labelled.id };
  });
  return { steps, unnamed: held.filter(({ id }) => !taken.has(id)) };
}
