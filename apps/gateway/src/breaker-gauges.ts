import { type Metrics } from '@weir/platform';
import { type UpstreamPool } from '@weir/upstreams';
import { Gauge } from 'prom-client';

/** Puts the states of breakers and of upstream keys into the metrics when those are scraped. */
export class BreakerGauges {
  private shown = new Set<string>();
  private readonly keys: Gauge;

  constructor(
    private readonly metrics: Metrics,
    private readonly pool: UpstreamPool,
  ) {
    this.keys = new Gauge({ name: 'weir_upstream_keys', help: 'Keys of an upstream, by what they are fit for now.', labelNames: ['upstream', 'state'], registers: [metrics.registry] });
  }

  show(): void {
    const upstreams = this.pool.describe();
    const names = new Set(upstreams.map(({ name }) => name));
    // One that was deleted or renamed must not be shown for ever.
    for (const name of this.shown) if (!names.has(name)) this.metrics.forgetUpstream(name);
    this.shown = names;
    this.keys.reset();
    for (const { name, enabled, breaker, keyCounts } of upstreams) {
      this.metrics.breakerState(name, breaker.state);
      // Nobody waits for the keys of an upstream that is turned off.
      if (!enabled) continue;
      for (const [state, count] of Object.entries(keyCounts)) this.keys.set({ upstream: name, state }, count);
    }
  }
}
