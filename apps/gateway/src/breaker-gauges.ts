import { type Metrics } from '@weir/platform';
import { type UpstreamPool } from '@weir/upstreams';

/** Puts the breakers' states into the metrics when those are scraped. */
export class BreakerGauges {
  private shown = new Set<string>();

  constructor(
    private readonly metrics: Metrics,
    private readonly pool: UpstreamPool,
  ) {}

  show(): void {
    const upstreams = this.pool.describe();
    const names = new Set(upstreams.map(({ name }) => name));
    // One that was deleted or renamed must not be shown for ever.
    for (const name of this.shown) if (!names.has(name)) this.metrics.forgetUpstream(name);
    this.shown = names;
    for (const { name, breaker } of upstreams) this.metrics.breakerState(name, breaker.state);
  }
}
