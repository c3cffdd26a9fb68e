import { type UpstreamDescription } from '@weir/upstreams';

/**
 * `healthy`: it takes calls. `degraded`: it does, with fewer keys than it should, or it is trying
 * after a failure. `unhealthy`: it takes none now. `disabled`: somebody switched it off.
 */
export type UpstreamStatus = 'healthy' | 'degraded' | 'unhealthy' | 'disabled';

/** What everybody may see of an upstream: nothing that tells who or where it is. */
export interface UpstreamHealth {
  readonly id: string;
  readonly status: UpstreamStatus;
  /** Of the last answered call, or of the last health probe where no call was; null when none has answered since the start. */
  readonly latency_ms: number | null;
  readonly breaker: 'closed' | 'open' | 'half_open';
  /** How many of its keys are in which status. */
  readonly keys: Readonly<Record<string, number>>;
}

/** What an owner sees besides. */
export interface NamedUpstreamHealth extends UpstreamHealth {
  readonly name: string;
  readonly provider: string;
  readonly open_calls: number;
}

export function toUpstreamHealth(upstream: UpstreamDescription, latencyMs: number | null): UpstreamHealth {
  return {
    id: upstream.id,
    status: toUpstreamStatus(upstream),
    latency_ms: toLatency(latencyMs ?? upstream.probe?.latencyMs ?? null),
    breaker: upstream.breaker.state,
    keys: { ...upstream.keyCounts },
  };
}

function toLatency(latencyMs: number | null): number | null {
  return latencyMs === null ? null : Math.round(latencyMs);
}

export function toNamedUpstreamHealth(upstream: UpstreamDescription, latencyMs: number | null): NamedUpstreamHealth {
  const { name, provider, openCalls } = upstream;
  return { ...toUpstreamHealth(upstream, latencyMs), name, provider, open_calls: openCalls };
}

export function toUpstreamStatus({ enabled, breaker, keyCounts }: UpstreamDescription): UpstreamStatus {
  if (!enabled) return 'disabled';
  const all = Object.values(keyCounts).reduce((sum, count) => sum + count, 0);
  if (breaker.state === 'open' || keyCounts.active === 0) return 'unhealthy';
  return breaker.state === 'half_open' || keyCounts.active < all ? 'degraded' : 'healthy';
}
