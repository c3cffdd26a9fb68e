import { type UpstreamId } from '@weir/kernel';
import { type ProviderName } from '@weir/providers';
import { type UpstreamInput } from './pool-snapshot';
import { toProxyModels, toProxyNames } from './to-proxy-models';

function upstream(name: string, provider: ProviderName, fields: Partial<UpstreamInput> = {}): UpstreamInput {
  const address = { origin: 'https://x.example', basePath: '', options: {} };
  return { id: `id of ${name}` as UpstreamId, name, provider, address, timeoutMs: null, streamTimeoutMs: null, concurrency: null, weight: 100, enabled: true, ...fields };
}

const list = (upstreams: readonly UpstreamInput[]): Record<string, string[]> => Object.fromEntries(toProxyModels(upstreams).map(({ name, targets }) => [name, targets.map(({ upstreamId }) => upstreamId)]));

describe('toProxyModels', () => {
  it('one for each upstream, and one for each vendor', () => {
    expect(list([upstream('a', 'openai'), upstream('b', 'openai'), upstream('c', 'anthropic'), upstream('d', 'tei')])).toEqual({
      a: ['id of a'], b: ['id of b'], c: ['id of c'], d: ['id of d'], openai: ['id of a', 'id of b'], anthropic: ['id of c'],
    });
  });

  it('a vendor’s name means the vendor, where there is one', () => {
    expect(list([upstream('openai', 'azure'), upstream('x', 'openai')])).toMatchObject({ openai: ['id of x'], azure: ['id of openai'] });
    expect(list([upstream('openai', 'openai-compatible')])).toEqual({ openai: ['id of openai'] });
  });

  it('the names are known of what is switched off, too, and are no patterns', () => {
    expect(toProxyNames([upstream('a', 'openai', { enabled: false }), upstream('d', 'tei'), upstream('gpu*', 'tei')])).toEqual(['a', 'd', 'openai']);
  });

  it('what is switched off is not there, and no name is a pattern', () => {
    expect(list([upstream('a', 'openai', { enabled: false }), upstream('gpu*', 'tei')])).toEqual({});
  });

  it('its targets count alike: the pool has the upstreams’ weights', () => {
    const [, , vendor] = toProxyModels([upstream('a', 'openai', { weight: 100 }), upstream('b', 'openai', { weight: 300 })]);
    expect(new Set(vendor.targets.map(({ weight }) => weight)).size).toBe(1);
    expect(vendor).toMatchObject({ operation: 'proxy', price: null, fallbacks: [], affinity: 'none' });
    expect(vendor.targets.every(({ upstreamModel }) => upstreamModel === '*')).toBe(true);
  });
});
