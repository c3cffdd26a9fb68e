import { parsePreset, type PresetName, type ProviderName, type UpstreamAddress } from '@weir/providers';
import { type UpstreamRecord } from '@weir/upstreams';

/** What is the same in every span of calls to an upstream. */
export interface UpstreamAttributes {
  /** `gen_ai.provider.name` */
  readonly provider: string;
  readonly host: string;
  readonly port: number;
}

/** An address never changes, and one that is no more goes with what was made of it. */
const known = new WeakMap<UpstreamAddress, UpstreamAttributes>();

export function getUpstreamAttributes({ provider, address }: Pick<UpstreamRecord, 'provider' | 'address'>): UpstreamAttributes {
  let attributes = known.get(address);
  if (attributes === undefined) {
    const { protocol, hostname, port } = new URL(address.origin);
    attributes = { provider: toProviderName(provider, address), host: hostname, port: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port) };
    known.set(address, attributes);
  }
  return attributes;
}

/** The names that OpenTelemetry has; whoever it does not know is called as Weir calls them. */
function toProviderName(provider: ProviderName, { options }: UpstreamAddress): string {
  const preset = provider === 'openai-compatible' ? parsePreset(options.preset) : null;
  if (preset !== null) return PRESET_NAMES[preset] ?? preset;
  return PROVIDER_NAMES[provider] ?? provider;
}

const PROVIDER_NAMES: Readonly<Partial<Record<ProviderName, string>>> = { azure: 'azure.ai.openai', gemini: 'gcp.gemini' };
const PRESET_NAMES: Readonly<Partial<Record<PresetName, string>>> = { mistral: 'mistral_ai', moonshot: 'moonshot_ai', xai: 'x_ai' };
