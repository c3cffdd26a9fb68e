import { Counter, type LabelValues, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client';

/** One series of a counter. Adding to it is an addition and nothing else. */
export class CounterSeries<Label extends string> {
  value = 0;

  constructor(readonly labels: LabelValues<Label>) {}
}

/**
 * A prom-client counter whose series are held by whoever counts. prom-client's own children hash
 * and check their labels at every increment, some microseconds a time; these are read when the
 * metrics are scraped.
 */
export class FastCounter<Label extends string> extends Counter<Label> {
  private readonly series = new Set<CounterSeries<Label>>();

  constructor(registry: Registry, name: string, help: string, labelNames: readonly Label[]) {
    super({ name, help, labelNames: [...labelNames], registers: [registry] });
  }

  with(labels: LabelValues<Label>): CounterSeries<Label> {
    const series = new CounterSeries(labels);
    this.series.add(series);
    return series;
  }

  drop(series: CounterSeries<Label>): void {
    this.series.delete(series);
  }

  override async get(): Promise<MetricObjectWithValues<MetricValue<Label>>> {
    const metric = await super.get();
    return { ...metric, values: Array.from(this.series, ({ labels, value }) => ({ labels, value })) };
  }
}
