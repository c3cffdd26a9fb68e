const inspectCustom = Symbol.for('nodejs.util.inspect.custom');

/**
 * Holds a secret so that logging, string building, JSON and debugger-style inspection show only
 * a mark. `expose()` is the one way to the value; search for it to audit who reads secrets.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  expose(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspectCustom](): string {
    return '[secret]';
  }
}
