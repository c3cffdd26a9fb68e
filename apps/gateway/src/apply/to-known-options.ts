import { type ProviderName } from '@weir/providers';
import { parseUpstreamOptions } from '../admin/upstreams/parse-upstream-options';

/** Those of the options that the provider takes: some are called without a key only when that is said, others need nothing said. */
export function toKnownOptions(provider: ProviderName, wanted: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => takes(provider, { [name]: value })));
}

function takes(provider: ProviderName, option: Readonly<Record<string, unknown>>): boolean {
  try {
    parseUpstreamOptions(provider, option);
    return true;
  } catch {
    return false;
  }
}
