/** Other values of a label are counted together under this one. */
export const OTHER = 'other';

/**
 * Finds what belongs to a combination of label values without joining them into a string.
 * At most `limit` values of the first label are told apart: names that outsiders influence must
 * not fill the memory of Weir or of whoever scrapes it.
 */
export class SeriesCache<Series> {
  private readonly byFirst = new Map<string, Map<string | number, Series>>();

  constructor(
    private readonly make: (first: string, second: string | number) => Series,
    private readonly limit = 500,
  ) {}

  get(first: string, second: string | number = ''): Series {
    let bySecond = this.byFirst.get(first);
    if (bySecond === undefined) {
      const isFull = this.byFirst.size >= this.limit && first !== OTHER;
      if (isFull) return this.get(OTHER, second);
      bySecond = new Map<string | number, Series>();
      this.byFirst.set(first, bySecond);
    }
    let series = bySecond.get(second);
    if (series === undefined) {
      series = this.make(first, second);
      bySecond.set(second, series);
    }
    return series;
  }

  /** Forgets a first value and gives back what belonged to it. */
  take(first: string): Series[] {
    const taken = [...(this.byFirst.get(first)?.values() ?? [])];
    this.byFirst.delete(first);
    return taken;
  }
}
