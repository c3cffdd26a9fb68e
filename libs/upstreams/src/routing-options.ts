import { getProvider, type ProviderName, type UpstreamAddress } from '@weir/providers';

/** What an upstream's options say about waiting for it and about asking after its health. */
export interface RoutingOptions {
  /** The longest that a call waits for a place; 0 for not at all. */
  readonly queueTimeoutMs: number;
  /** How many calls of one organization may wait. */
  readonly queueLength: number;
  /** From the host's root, not below the base URL. Null: it is not asked. */
  readonly probePath: string | null;
  readonly probeIntervalMs: number;
}

export const QUEUE_TIMEOUT_MS = 30_000;
export const QUEUE_TIMEOUT_MAX_MS = 600_000;
export const QUEUE_LENGTH = 100;
export const QUEUE_LENGTH_MAX = 10_000;
export const PROBE_INTERVAL_MS = 10_000;
export const PROBE_INTERVAL_MIN_MS = 1_000;
export const PROBE_INTERVAL_MAX_MS = 3_600_000;

/** A path and query in visible ASCII, at most 200 characters, that stays where it says: no `..`, no `//`, no fragment. */
export function isProbePath(value: unknown): value is string {
  return typeof value === 'string' && /^\/[\x21-\x22\x24-\x7e]{0,199}$/.test(value) && !value.includes('//') && !/(^|\/)\.\.?(\/|\?|$)/.test(value) && !value.includes('\\');
}

/** Reads the options as they are stored. What cannot be read counts as not set: a server's queue is no reason to leave it out. */
export function toRoutingOptions(provider: ProviderName, address: UpstreamAddress): RoutingOptions {
  const { queue_timeout_ms, queue_length, probe_path, probe_interval_ms } = address.options;
  return {
    queueTimeoutMs: readWhole(queue_timeout_ms, 0, QUEUE_TIMEOUT_MAX_MS) ?? QUEUE_TIMEOUT_MS,
    queueLength: readWhole(queue_length, 1, QUEUE_LENGTH_MAX) ?? QUEUE_LENGTH,
    // An empty path switches the provider's own off.
    probePath: probe_path === '' ? null : isProbePath(probe_path) ? probe_path : getProvider(provider).toHealthPath(address),
    probeIntervalMs: readWhole(probe_interval_ms, PROBE_INTERVAL_MIN_MS, PROBE_INTERVAL_MAX_MS) ?? PROBE_INTERVAL_MS,
  };
}

function readWhole(value: unknown, min: number, max: number): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : null;
}
