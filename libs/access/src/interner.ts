/**
 * Gives equal values as one shared object: most keys of an installation have one of few lists and
 * limits. When it holds too many it starts anew; later equals are then not shared with earlier
 * ones, which costs memory and nothing else.
 */
export class Interner<Value> {
  private readonly values = new Map<string, Value>();

  constructor(private readonly mostEntries = 10_000) {}

  /** @param mark equal for equal values, and only for them. */
  intern(mark: string, make: () => Value): Value {
    const known = this.values.get(mark);
    if (known !== undefined) return known;
    if (this.values.size >= this.mostEntries) this.values.clear();
    const value = make();
    this.values.set(mark, value);
    return value;
  }
}
