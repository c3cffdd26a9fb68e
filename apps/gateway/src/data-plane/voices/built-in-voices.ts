import { type Caller, mayUseModel } from '@weir/access';
import { getProvider, toIndexTtsVoicesPath, toVllmOmniVoicesPath } from '@weir/providers';
import { type TransportHandler, type UpstreamRecord } from '@weir/upstreams';
import { readUpstreamVoices } from '@weir/wire';
import { type Road } from '../road';

const TIMEOUT_MS = 3_000;
const MOST_BYTES = 1024 * 1024;
/** A service's own voices change when it is deployed anew. */
const KEPT_MS = 60_000;
const NONE: Promise<readonly string[]> = Promise.resolve([]);

interface KnownVoices {
  /** Those who ask while the service is still being asked wait for the same answer. */
  readonly names: Promise<readonly string[]>;
  readonly untilMs: number;
}

/** The voices that TTS services have of themselves, asked of them and kept for a minute. */
export class BuiltInVoices {
  private readonly known = new Map<string, KnownVoices>();

  constructor(private readonly road: Road) {}

  /** Of the speech models that the caller may use. A service that does not answer has those that it had, or none. */
  async list(caller: Caller): Promise<readonly string[]> {
    const upstreams = new Map<string, UpstreamRecord>();
    for (const model of this.road.pool.modelNames()) {
      const route = mayUseModel(caller, model) ? this.road.pool.findRoute(model) : null;
      if (route === null || route.operation !== 'speech') continue;
      for (const { upstream } of route.targets) if (upstream.enabled) upstreams.set(upstream.id, upstream);
    }
    const lists = await Promise.all([...upstreams.values()].map((upstream) => this.ask(upstream)));
    return [...new Set(lists.flat())].sort();
  }

  private ask(upstream: UpstreamRecord): Promise<readonly string[]> {
    const path = toVoicesPath(upstream);
    if (path === null) return NONE;
    const nowMs = this.road.clock.nowMs();
    const known = this.known.get(upstream.id);
    if (known !== undefined && known.untilMs > nowMs) return known.names;
    const names = this.fetchNames(upstream, path).then((found) => found ?? known?.names ?? []);
    this.known.set(upstream.id, { names, untilMs: nowMs + KEPT_MS });
    return names;
  }

  private async fetchNames({ address, provider, keys }: UpstreamRecord, path: string): Promise<readonly string[] | null> {
    const headers = ['accept', 'application/json', 'accept-encoding', 'identity', 'user-agent', 'weir'];
    const key = keys.find(({ id }) => id !== null);
    if (key !== undefined) headers.push(...getProvider(provider).toAuthorization(key.secret));
    const body = await new Promise<Buffer | null>((resolve) => {
      this.road.transport.dispatch(address.origin, 'GET', path, headers, null, TIMEOUT_MS, TIMEOUT_MS, collect(resolve));
    });
    if (body === null) return null;
    try {
      return readUpstreamVoices(JSON.parse(body.toString('utf8'))).builtIn;
    } catch {
      return null;
    }
  }
}

function toVoicesPath({ provider, address }: UpstreamRecord): string | null {
  switch (provider) {
    case 'vllm-omni':
      return toVllmOmniVoicesPath(address);
    case 'index-tts':
      return toIndexTtsVoicesPath(address);
    default:
      return null;
  }
}

/** The body of a good answer; null for any other. */
function collect(resolve: (body: Buffer | null) => void): TransportHandler {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isGood = false;
  return {
    onRequestStart: () => undefined,
    onResponseStart: (_controller, status) => {
      isGood = status === 200;
    },
    onResponseData: (controller, chunk) => {
      bytes += chunk.length;
      if (bytes <= MOST_BYTES) chunks.push(chunk);
      else controller.abort(new Error('the list of voices is too long'));
    },
    onResponseEnd: () => resolve(isGood ? Buffer.concat(chunks) : null),
    onResponseError: () => resolve(null),
  };
}
