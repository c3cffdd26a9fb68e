import { type Operation, OPERATIONS } from '@weir/kernel';
import { type ProviderName } from '@weir/providers';
import { escapeReferences } from '../resolve-references';
import { toKnownOptions } from '../to-known-options';
import { type LitellmEntry } from './litellm-config';
import { findLitellmProvider, type LitellmProvider, splitLitellmModel } from './litellm-providers';
import { type KeyVariables } from './key-variables';
import { PRICE_NAMES, toLitellmPrice } from './to-litellm-price';

/** Where a deployment is called; deployments that agree in all of it share an upstream. */
export interface DeploymentAddress {
  readonly provider: ProviderName;
  readonly base_url: string;
  readonly timeout_ms?: number;
  readonly stream_timeout_ms?: number;
  readonly concurrency?: number;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** One entry of `model_list`, understood. */
export interface Deployment {
  readonly modelName: string;
  /** How its upstream is to be called: LiteLLM's prefix. */
  readonly prefix: string;
  readonly address: DeploymentAddress;
  /** A reference, `${OPENAI_API_KEY}`; null for a server that takes none. */
  readonly key: string | null;
  readonly upstreamModel: string;
  readonly operation: Operation;
  readonly price: Readonly<Record<string, number>> | null;
  readonly weight: number | null;
  readonly order: number | null;
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** Read here, or in the upstream's or the model's place. */
const READ: ReadonlySet<string> = new Set([
  'model', 'custom_llm_provider', 'api_key', 'api_base', 'base_url', 'api_version', 'timeout', 'stream_timeout', 'rpm', 'tpm', 'weight', 'order',
  'max_parallel_requests', 'litellm_credential_name',
]);
const READ_INFO: ReadonlySet<string> = new Set(['mode', 'base_model', 'id']);

const MODES: Readonly<Record<string, Operation>> = {
  chat: 'chat', responses: 'chat', completion: 'completions', embedding: 'embeddings', rerank: 'rerank', image_generation: 'images', image_edit: 'images',
  audio_speech: 'speech', audio_transcription: 'transcriptions', moderation: 'moderations', moderations: 'moderations',
};
/** By custom a name tells the work; LiteLLM has a table of names for it. */
const NAMES: readonly (readonly [RegExp, Operation])[] = [
  [/embed|ada-002|bge|(^|\/)e5-/i, 'embeddings'],
  [/rerank/i, 'rerank'],
  [/whisper|transcri/i, 'transcriptions'],
  [/(^|[-/])tts([-/]|$)/i, 'speech'],
  [/dall-e|gpt-image|stable-diffusion|flux/i, 'images'],
  [/moderation/i, 'moderations'],
];

/**
 * Understands an entry.
 * @param note takes what cannot be carried over: names and our own words, never a value that may be secret
 * @returns null when all of it cannot
 */
export function toDeployment(entry: LitellmEntry, credentials: ReadonlyMap<string, Fields>, keys: KeyVariables, note: (text: string) => void): Deployment | null {
  const info = entry.model_info ?? {};
  const params: Fields = { ...findCredential(entry.litellm_params, credentials, note), ...entry.litellm_params };
  const { model } = params;
  if (typeof model !== 'string' || model === '') return leaveOut('it has no litellm_params.model', note);
  const { prefix, upstreamModel } = splitLitellmModel(model, params.custom_llm_provider);
  const known = findLitellmProvider(prefix);
  if (known === null) return leaveOut(`there is no provider here for ${prefix}/`, note);
  if (!/^[^\s*\p{C}]*\*?$/u.test(entry.model_name) || entry.model_name === '') return leaveOut('a name may hold no spaces, and a * only at its end', note);
  const base = toBaseUrl(params.api_base ?? params.base_url, prefix, known, note);
  if (base === null) return leaveOut('it does not say an api_base that could be used', note);
  noteUnread(entry, params, info, note);
  return {
    modelName: entry.model_name,
    prefix,
    address: toAddress(params, info, { ...known, provider: toProviderName(prefix, known, base) }, base, note),
    key: toKey(params.api_key, known, prefix, keys, note),
    upstreamModel: escapeReferences(upstreamModel),
    operation: toOperation(info.mode, prefix, `${entry.model_name} ${upstreamModel}`, note),
    price: toLitellmPrice([params, info]),
    weight: toNumber(params.weight),
    order: toNumber(params.order),
    requestsPerMinute: toNumber(params.rpm) ?? toNumber(entry.rpm),
    tokensPerMinute: toNumber(params.tpm) ?? toNumber(entry.tpm),
  };
}

function leaveOut(why: string, note: (text: string) => void): null {
  note(`left out: ${why}`);
  return null;
}

function findCredential({ litellm_credential_name: name }: Fields, credentials: ReadonlyMap<string, Fields>, note: (text: string) => void): Fields {
  if (typeof name !== 'string') return {};
  const found = credentials.get(name);
  if (found === undefined) note('its litellm_credential_name is not in credential_list');
  return found ?? {};
}

function noteUnread(entry: LitellmEntry, params: Fields, info: Fields, note: (text: string) => void): void {
  const unread = [
    ...Object.keys(params).filter((name) => !READ.has(name) && !PRICE_NAMES.has(name)),
    ...Object.keys(info).filter((name) => !READ_INFO.has(name) && !PRICE_NAMES.has(name)).map((name) => `model_info.${name}`),
    ...Object.keys(entry).filter((name) => !['model_name', 'litellm_params', 'model_info', 'rpm', 'tpm'].includes(name)),
  ];
  if (unread.length > 0) note(`not carried over: ${unread.join(', ')}`);
  if (['rpm', 'tpm'].some((name) => toNumber(params[name]) !== null || toNumber(entry[name]) !== null)) {
    note('not carried over: rpm and tpm of one deployment; set limits of the model, of keys or of organizations');
  }
}

/** Another host than OpenAI's is another server, though it speaks the same. */
function toProviderName(prefix: string, { provider, baseUrl }: LitellmProvider, base: string): ProviderName {
  return provider === 'openai' && (prefix !== 'openai' || base !== baseUrl) && !base.startsWith('https://api.openai.com') ? 'openai-compatible' : provider;
}

function toAddress(params: Fields, info: Fields, known: LitellmProvider, base: string, note: (text: string) => void): DeploymentAddress {
  const timeout = toNumber(params.timeout);
  const streamTimeout = toNumber(params.stream_timeout);
  const concurrency = toNumber(params.max_parallel_requests);
  const baseModel = typeof info.base_model === 'string' ? info.base_model.replace(/^azure\//, '') : null;
  const wanted = {
    ...(typeof params.api_version === 'string' ? { api_version: toText(params.api_version) } : {}),
    ...(baseModel === null ? {} : { base_model: baseModel }),
    ...(known.preset === undefined ? {} : { preset: known.preset }),
    ...(known.keyVariable === null && params.api_key === undefined ? { no_key: true } : {}),
  };
  // A reference is known only when the file is applied.
  const isReference = typeof wanted.api_version === 'string' && wanted.api_version.includes('${');
  const options: Record<string, unknown> = { ...toKnownOptions(known.provider, wanted), ...(isReference ? { api_version: wanted.api_version } : {}) };
  if (baseModel !== null && options.base_model === undefined) note('not carried over: model_info.base_model');
  return {
    provider: known.provider,
    base_url: base,
    ...(timeout === null ? {} : { timeout_ms: toMs(timeout) }),
    ...(streamTimeout === null ? {} : { stream_timeout_ms: toMs(streamTimeout) }),
    ...(concurrency === null || concurrency < 1 ? {} : { concurrency: Math.round(concurrency) }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}

function toBaseUrl(given: unknown, prefix: string, { baseUrl }: LitellmProvider, note: (text: string) => void): string | null {
  if (given === undefined || given === null || given === '') return baseUrl;
  if (typeof given !== 'string') return null;
  if (given.startsWith('os.environ/')) return toText(given);
  const url = URL.parse(given);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return null;
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') note('its api_base held a password, a query or a fragment, which are left out: check it');
  const path = url.pathname.replace(/\/+$/, '');
  const isOllama = prefix.startsWith('ollama') && path === '';
  return escapeReferences(url.origin + (isOllama ? '/v1' : path));
}

function toKey(given: unknown, { keyVariable }: LitellmProvider, prefix: string, keys: KeyVariables, note: (text: string) => void): string | null {
  if (typeof given !== 'string' || given === '') {
    if (keyVariable === null) return null;
    note(`it names no api_key: ${keyVariable} is taken, as LiteLLM does`);
    return `\${${keyVariable}}`;
  }
  if (/^os\.environ\/[A-Za-z_][A-Za-z0-9_]*$/.test(given)) return toText(given);
  return `\${${keys.nameOf(given, keyVariable ?? `${prefix.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_API_KEY`)}}`;
}

function toOperation(mode: unknown, prefix: string, names: string, note: (text: string) => void): Operation {
  if (prefix === 'text-completion-openai') return 'completions';
  const said = typeof mode === 'string' ? MODES[mode] : undefined;
  if (said !== undefined && OPERATIONS.includes(said)) return said;
  const guessed = NAMES.find(([pattern]) => pattern.test(names))?.[1] ?? 'chat';
  if (typeof mode === 'string') note(`its mode is not known here; taken for ${guessed}`);
  else if (guessed !== 'chat') note(`taken for ${guessed} by its name: model_info.mode does not say`);
  return guessed;
}

/** `os.environ/NAME` becomes a reference; any other text stands for itself. */
export function toText(value: string): string {
  const [, name] = /^os\.environ\/([A-Za-z_][A-Za-z0-9_]*)$/.exec(value) ?? [];
  return name === undefined ? escapeReferences(value) : `\${${name}}`;
}

export function toNumber(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : null;
}

function toMs(seconds: number): number {
  return Math.min(Math.max(Math.round(seconds * 1000), 1), 3_600_000);
}
