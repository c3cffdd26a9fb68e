import { type ModelId, NO_LIMITS } from '@weir/kernel';
import { type ProviderName } from '@weir/providers';
import { type ModelInput, type UpstreamInput } from './pool-snapshot';

/** Vendors whose API is called by the vendor's name; other upstreams by their own. */
const VENDORS: readonly ProviderName[] = ['openai', 'azure', 'anthropic', 'gemini'];

const TARGET_WEIGHT = 100;

/** What stands for models where a provider's own API is called: one for each vendor, and one for each upstream. */
export function toProxyModels(upstreams: readonly UpstreamInput[]): ModelInput[] {
  const usable = upstreams.filter(({ enabled }) => enabled);
  const models = new Map<string, ModelInput>();
  for (const upstream of usable) models.set(upstream.name, toModel(upstream.name, [upstream]));
  // An upstream that has a vendor's name does not hide the others of that vendor.
  for (const vendor of VENDORS) {
    const own = usable.filter(({ provider }) => provider === vendor);
    if (own.length > 0) models.set(vendor, toModel(vendor, own));
  }
  return [...models.values()].filter(({ name }) => !name.endsWith('*'));
}

/** The names behind `/proxy/` by which these upstreams are called, be they on or off. */
export function toProxyNames(upstreams: readonly { readonly name: string; readonly provider: string }[]): string[] {
  const vendors = VENDORS.filter((vendor) => upstreams.some(({ provider }) => provider === vendor));
  return [...upstreams.map(({ name }) => name), ...vendors].filter((name) => !name.endsWith('*'));
}

function toModel(name: string, upstreams: readonly UpstreamInput[]): ModelInput {
  return {
    id: `proxy/${name}` as ModelId,
    name,
    operation: 'proxy',
    strategy: 'weighted',
    affinity: 'none',
    fallbacks: [],
    limits: NO_LIMITS,
    price: null,
    // The pool multiplies by the upstream's own weight.
    targets: upstreams.map(({ id }) => ({ upstreamId: id, upstreamModel: '*', weight: TARGET_WEIGHT, priority: 0 })),
  };
}
