import { WeirError } from '@weir/kernel';
import { parsePreset, PRESET_NAMES, type ProviderName } from '@weir/providers';
import { isProbePath, PROBE_INTERVAL_MAX_MS, PROBE_INTERVAL_MIN_MS, QUEUE_LENGTH_MAX, QUEUE_TIMEOUT_MAX_MS } from '@weir/upstreams';
import { toShownField } from '../errors/to-validation-error';

interface OptionKind {
  readonly isValid: (value: unknown) => boolean;
  readonly words: string;
}

const FLAG: OptionKind = { isValid: (value) => typeof value === 'boolean', words: 'must be true or false' };
/** It becomes part of a URL. */
const API_VERSION: OptionKind = {
  isValid: (value) => typeof value === 'string' && /^[A-Za-z0-9.-]{1,40}$/.test(value),
  words: 'must be a version such as 2024-10-21 or v1',
};

/** What an Azure deployment's name does not tell: whose prices and limits apply. */
const BASE_MODEL: OptionKind = {
  isValid: (value) => typeof value === 'string' && /^[A-Za-z0-9._:/-]{1,128}$/.test(value),
  words: "must be a model's name such as gpt-4o",
};

/** Anthropic names the version of its API by a date. */
const ANTHROPIC_VERSION: OptionKind = {
  isValid: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value),
  words: 'must be a date such as 2023-06-01',
};

const PRESET: OptionKind = { isValid: (value) => parsePreset(value) !== null, words: `must be one of ${PRESET_NAMES.join(', ')}` };

const RESPONSE_FORMATS: OptionKind = {
  isValid: (value) => typeof value === 'string' && /^[a-z0-9]{1,10}(,[a-z0-9]{1,10}){0,9}$/.test(value),
  words: 'must be a list such as mp3,wav',
};

/** It becomes a part of a URL: plain segments, no query. */
const GENERATE_PATH: OptionKind = {
  isValid: (value) => typeof value === 'string' && value.length <= 200 && /^(?:\/[A-Za-z0-9_-]+)+$/.test(value),
  words: 'must be a path such as /generate',
};

const PROBE_PATH: OptionKind = {
  isValid: (value) => value === '' || isProbePath(value),
  words: 'must be a path from the host’s root such as /health, without .. or //, or empty for none',
};

/** Where a path of the provider's own API may begin. */
const PROXY_PATHS: OptionKind = {
  isValid: (value) => typeof value === 'string' && value.length <= 2_000 && value.split(',').every((begin) => isProxyBegin(begin.trim())),
  words: 'must be paths such as /v1/chat/completions,/v1/files, without .. or //',
};

function isProxyBegin(begin: string): boolean {
  return /^\/(?:[A-Za-z0-9._~:@+-]+\/)*[A-Za-z0-9._~:@+-]*$/.test(begin) && !/\/\.{1,2}(?:\/|$)/.test(begin);
}

/** The largest that a price may be, in dollars. */
const MOST_REQUEST_USD = 10_000;
const REQUEST_USD: OptionKind = {
  isValid: (value) => typeof value === 'number' && value >= 0 && value <= MOST_REQUEST_USD,
  words: `must be a number of dollars from 0 to ${MOST_REQUEST_USD}`,
};

function wholeNumber(min: number, max: number): OptionKind {
  const isValid = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
  return { isValid, words: `must be a whole number from ${min} to ${max}` };
}

/** How calls wait for it, how it is asked whether it is there, and what of its own API is open, whatever its provider. */
const ROUTING_OPTIONS: Readonly<Record<string, OptionKind>> = {
  queue_timeout_ms: wholeNumber(0, QUEUE_TIMEOUT_MAX_MS),
  queue_length: wholeNumber(1, QUEUE_LENGTH_MAX),
  probe_path: PROBE_PATH,
  probe_interval_ms: wholeNumber(PROBE_INTERVAL_MIN_MS, PROBE_INTERVAL_MAX_MS),
  proxy_paths: PROXY_PATHS,
  proxy_request_usd: REQUEST_USD,
};

const OPTIONS: Readonly<Record<ProviderName, Readonly<Record<string, OptionKind>>>> = {
  openai: { stream_usage: FLAG },
  azure: { api_version: API_VERSION, base_model: BASE_MODEL, stream_usage: FLAG },
  'openai-compatible': { preset: PRESET, no_key: FLAG, stream_usage: FLAG, drop_unsupported: FLAG },
  anthropic: { anthropic_version: ANTHROPIC_VERSION },
  gemini: {},
  tei: { no_key: FLAG },
  infinity: { no_key: FLAG },
  'vllm-omni': { no_key: FLAG },
  'index-tts': { no_key: FLAG, response_formats: RESPONSE_FORMATS },
  siglip2: { no_key: FLAG },
  trellis: { no_key: FLAG, generate_path: GENERATE_PATH },
};

/**
 * Takes an upstream's provider options.
 * @throws WeirError invalid_request naming the option that the provider does not have, or its fault.
 */
export function parseUpstreamOptions(provider: ProviderName, options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kinds = { ...ROUTING_OPTIONS, ...OPTIONS[provider] };
  for (const [name, value] of Object.entries(options)) {
    const param = toShownField(`options.${name}`);
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) throw new WeirError('invalid_request', { message: `The provider ${provider} has no ${param}.`, param });
    if (!kind.isValid(value)) throw new WeirError('invalid_request', { message: `The field ${param} is not valid: ${kind.words}.`, param });
  }
  return { ...options };
}
