import { Histogram, type LabelValues, type MetricValueWithName, type Registry } from 'prom-client';

/** One series of a histogram. */
export class HistogramSeries<Label extends string> {
  /** How many values fell into each bucket, the last being those above every bound. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(
    readonly labels: LabelValues<Label>,
    private readonly bounds: readonly number[],
  ) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.sum += value;
  }
}

/** A prom-client histogram whose series are held by whoever observes (see FastCounter). */
export class FastHistogram<Label extends string> extends Histogram<Label> {
  private readonly series = new Set<HistogramSeries<Label>>();
  constructor(
    registry: Registry,
    private readonly metricName: string,
    private readonly description: string,
    labelNames: readonly Label[],
    private readonly bounds: readonly number[],
  ) {
    super({ name: metricName, help: description, labelNames: [...labelNames], buckets: [...bounds], registers: [registry] });
  }

  with(labels: LabelValues<Label>): HistogramSeries<Label> {
    const series = new HistogramSeries(labels, this.bounds);
    this.series.add(series);
    return series;
  }

  /** Where both of prom-client's expositions, text and JSON, ask a histogram for its values. */
  async getForPromString(): Promise<object> {
    const values = Array.from(this.series, (series) => this.toValues(series)).flat();
    return { name: this.metricName, help: this.description, type: 'histogram', aggregator: 'sum', values };
  }

  private toValues({ labels, counts, sum }: HistogramSeries<Label>): MetricValueWithName<Label>[] {
    let total = 0;
    const values: MetricValueWithName<Label>[] = [];
    counts.forEach((count, index) => {
      total += count;
      const le = index < this.bounds.length ? this.bounds[index] : '+Inf';
      values.push({ labels: { ...labels, le }, value: total, metricName: this.metricName + '_bucket' });
    });
    values.push({ labels, value: sum, metricName: this.metricName + '_sum' });
    values.push({ labels, value: total, metricName: this.metricName + '_count' });
    return values;
  }
}
