/**
 * Names for keys that were written out: a file that is made from another one must not hold them.
 * Equal keys have one name; no name is one that the configuration reads already.
 */
export class KeyVariables {
  readonly #names = new Map<string, string>();
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  nameOf(key: string, wanted: string): string {
    const held = this.#names.get(key);
    if (held !== undefined) return held;
    let name = wanted;
    for (let number = 2; this.#taken.has(name); number += 1) name = `${wanted}_${number}`;
    this.#taken.add(name);
    this.#names.set(key, name);
    return name;
  }

  /** The names that were made up, in order. */
  get names(): readonly string[] {
    return [...this.#names.values()];
  }
}
