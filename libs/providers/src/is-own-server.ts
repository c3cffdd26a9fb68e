import { BlockList, isIP } from 'node:net';
import { findPreset } from './openai-compatible/preset';
import { type ProviderName, type UpstreamAddress } from './provider';

/** Servers that nobody offers as a service. */
const OWN_SERVERS: readonly ProviderName[] = ['tei', 'infinity', 'vllm-omni', 'index-tts', 'siglip2', 'trellis'];
/** Names that only a network's own resolver knows. */
const INSIDE_NAME = /^[^.]+$|\.(?:localhost|local|internal|intranet|lan|corp|svc|home\.arpa)$/;

const inside = new BlockList();
for (const [network, bits] of [['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['127.0.0.0', 8], ['100.64.0.0', 10]] as const) inside.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [['::1', 128], ['fc00::', 7], ['fe80::', 10]] as const) inside.addSubnet(network, bits, 'ipv6');

/**
 * Whether an upstream is a server that the operator runs, as far as its provider, its preset and its
 * address tell. What such a server fetches it fetches from inside the operator's network.
 */
export function isOwnServer(provider: ProviderName, address: UpstreamAddress): boolean {
  if (provider !== 'openai-compatible') return OWN_SERVERS.includes(provider);
  let known = compatible.get(address);
  if (known === undefined) compatible.set(address, (known = isOwnCompatible(address)));
  return known;
}

/** Asked at every call, and an address never changes. */
const compatible = new WeakMap<UpstreamAddress, boolean>();

function isOwnCompatible(address: UpstreamAddress): boolean {
  const preset = findPreset(address);
  if (preset !== null) return preset.baseUrl === null;
  const { protocol, hostname } = new URL(address.origin);
  return protocol === 'http:' || isInside(hostname.replace(/^\[|\]$/g, '').replace(/\.$/, ''));
}

function isInside(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? INSIDE_NAME.test(host) : inside.check(host, version === 4 ? 'ipv4' : 'ipv6');
}
