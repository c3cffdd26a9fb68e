import { Secret } from '@weir/kernel';
import { ConfigurationError } from '../configuration-error';
import { parseKeyPairs } from './parse-key-pairs';

/** Of OpenTelemetry's own variables, those that Weir reads: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
export const TRACE_VARIABLES = [
  'OTEL_SDK_DISABLED',
  'OTEL_TRACES_EXPORTER',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_PROTOCOL',
  'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
  'OTEL_EXPORTER_OTLP_TIMEOUT',
  'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT',
  'OTEL_EXPORTER_OTLP_COMPRESSION',
  'OTEL_EXPORTER_OTLP_TRACES_COMPRESSION',
  'OTEL_EXPORTER_OTLP_CERTIFICATE',
  'OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE',
  'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE',
  'OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE',
  'OTEL_EXPORTER_OTLP_CLIENT_KEY',
  'OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY',
  'OTEL_SERVICE_NAME',
  'OTEL_RESOURCE_ATTRIBUTES',
  'OTEL_PROPAGATORS',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
  'OTEL_BSP_SCHEDULE_DELAY',
  'OTEL_BSP_EXPORT_TIMEOUT',
  'OTEL_BSP_MAX_QUEUE_SIZE',
  'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
] as const;

type TraceVariable = (typeof TRACE_VARIABLES)[number];
type Given = Partial<Record<TraceVariable, string>>;

const SAMPLERS = ['always_on', 'always_off', 'traceidratio', 'parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** How finished spans wait for their export. */
export interface SpanBatching {
  readonly scheduleDelayMs: number;
  readonly exportTimeoutMs: number;
  /** More than so many do not wait: they are dropped. */
  readonly maxQueueSize: number;
  readonly maxExportBatchSize: number;
}

/** Where traces go, and which. */
export interface TraceConfiguration {
  /** The whole URL to which spans are posted; it may hold a password. */
  readonly endpoint: string;
  readonly headers: ReadonlyMap<string, Secret>;
  /** For one export, its retries included. */
  readonly timeoutMs: number;
  readonly compression: 'none' | 'gzip';
  /** Paths of PEM files; null: the authorities that Node trusts, and no certificate of one's own. */
  readonly certificatePath: string | null;
  readonly clientCertificatePath: string | null;
  readonly clientKeyPath: string | null;
  /** Null: what the resource attributes say, else Weir's name. */
  readonly serviceName: string | null;
  readonly resourceAttributes: ReadonlyMap<string, string>;
  /** A caller's `traceparent` is the parent of its call, and one's own servers are told of theirs. */
  readonly propagates: boolean;
  readonly sampler: SamplerName;
  /** From 0 to 1, for samplers that take a part. */
  readonly samplingRatio: number;
  readonly batching: SpanBatching;
}

const DEFAULT_ENDPOINT = 'http://localhost:4318';
const LONGEST_MS = 86_400_000;
const LARGEST_QUEUE = 100_000;
const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const HEADER_VALUE = /^[\x20-\x7e]*$/;

/**
 * Null where no traces are wanted: nothing says where they should go, or a variable says that they
 * are off. Then nothing else is looked at.
 * @throws ConfigurationError for the first variable that is wrong
 */
export function loadTraceConfiguration(environment: NodeJS.ProcessEnv): TraceConfiguration | null {
  const given: Given = {};
  for (const name of TRACE_VARIABLES) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== '') given[name] = value;
  }
  if (!areWanted(given)) return null;
  if (given.OTEL_TRACES_EXPORTER !== undefined && given.OTEL_TRACES_EXPORTER !== 'otlp') throw new ConfigurationError('OTEL_TRACES_EXPORTER must be otlp or none');
  requireProtocol(given);
  return Object.freeze({
    endpoint: toEndpoint(given),
    headers: toHeaders(given),
    timeoutMs: toInteger(given, pick(given, 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', 'OTEL_EXPORTER_OTLP_TIMEOUT'), 1, LONGEST_MS, 10_000),
    compression: toChoice(given, pick(given, 'OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'OTEL_EXPORTER_OTLP_COMPRESSION'), ['none', 'gzip'], 'none'),
    certificatePath: given.OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE ?? given.OTEL_EXPORTER_OTLP_CERTIFICATE ?? null,
    clientCertificatePath: given.OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE ?? given.OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE ?? null,
    clientKeyPath: given.OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY ?? given.OTEL_EXPORTER_OTLP_CLIENT_KEY ?? null,
    serviceName: given.OTEL_SERVICE_NAME ?? null,
    resourceAttributes: toPairs(given, 'OTEL_RESOURCE_ATTRIBUTES', () => true),
    propagates: toPropagates(given.OTEL_PROPAGATORS),
    sampler: toChoice(given, 'OTEL_TRACES_SAMPLER', SAMPLERS, 'parentbased_always_on'),
    samplingRatio: toRatio(given),
    batching: toBatching(given),
  });
}

function areWanted(given: Given): boolean {
  const isDisabled = given.OTEL_SDK_DISABLED?.toLowerCase() ?? 'false';
  if (isDisabled === 'true' || given.OTEL_TRACES_EXPORTER === 'none') return false;
  if (isDisabled !== 'false') throw new ConfigurationError('OTEL_SDK_DISABLED must be true or false');
  return given.OTEL_TRACES_EXPORTER !== undefined || given.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined || given.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined;
}

/** What is said of traces goes before what is said of all signals. */
function pick(given: Given, ofTraces: TraceVariable, ofAll: TraceVariable): TraceVariable {
  return given[ofTraces] === undefined ? ofAll : ofTraces;
}

function requireProtocol(given: Given): void {
  const variable = pick(given, 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL');
  if (given[variable] === undefined || given[variable] === 'http/protobuf') return;
  throw new ConfigurationError(`${variable} must be http/protobuf, the only one that is spoken here; collectors take it at port 4318 mostly`);
}

function toEndpoint(given: Given): string {
  const own = given.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  if (own !== undefined) return toUrl('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', own).href;
  const url = toUrl('OTEL_EXPORTER_OTLP_ENDPOINT', given.OTEL_EXPORTER_OTLP_ENDPOINT ?? DEFAULT_ENDPOINT);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url.href;
}

function toUrl(variable: TraceVariable, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw new ConfigurationError(`${variable} must be a URL that starts with http:// or https://`);
  return url;
}

function toHeaders(given: Given): ReadonlyMap<string, Secret> {
  const isHeader = (name: string, value: string): boolean => HEADER_NAME.test(name) && HEADER_VALUE.test(value);
  const ofAll = toPairs(given, 'OTEL_EXPORTER_OTLP_HEADERS', isHeader);
  const ofTraces = toPairs(given, 'OTEL_EXPORTER_OTLP_TRACES_HEADERS', isHeader);
  return new Map([...ofAll, ...ofTraces].map(([name, value]) => [name, new Secret(value)]));
}

/** What stands in it is never shown: it may be a secret. */
function toPairs(given: Given, variable: TraceVariable, isPair: (name: string, value: string) => boolean): ReadonlyMap<string, string> {
  const pairs = parseKeyPairs(given[variable] ?? '', isPair);
  if (typeof pairs === 'number') throw new ConfigurationError(`${variable} must be name=value pairs, separated by commas and percent-encoded; entry ${pairs} is none`);
  return pairs;
}

/** Of the ways to tell a trace on, Weir knows W3C's `traceparent`, which is also what goes without saying. */
function toPropagates(text = 'tracecontext,baggage'): boolean {
  return text.split(',').some((name) => name.trim() === 'tracecontext');
}

function toRatio(given: Given): number {
  const ratio = Number(given.OTEL_TRACES_SAMPLER_ARG ?? 1);
  if (!(ratio >= 0 && ratio <= 1)) throw new ConfigurationError('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1');
  return ratio;
}

function toBatching(given: Given): SpanBatching {
  const maxQueueSize = toInteger(given, 'OTEL_BSP_MAX_QUEUE_SIZE', 1, LARGEST_QUEUE, 2048);
  const maxExportBatchSize = toInteger(given, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 1, LARGEST_QUEUE, Math.min(512, maxQueueSize));
  if (maxExportBatchSize > maxQueueSize) throw new ConfigurationError('OTEL_BSP_MAX_EXPORT_BATCH_SIZE must not be more than OTEL_BSP_MAX_QUEUE_SIZE');
  return Object.freeze({
    scheduleDelayMs: toInteger(given, 'OTEL_BSP_SCHEDULE_DELAY', 0, LONGEST_MS, 5000),
    exportTimeoutMs: toInteger(given, 'OTEL_BSP_EXPORT_TIMEOUT', 1, LONGEST_MS, 30_000),
    maxQueueSize,
    maxExportBatchSize,
  });
}

function toInteger(given: Given, variable: TraceVariable, least: number, most: number, otherwise: number): number {
  const text = given[variable];
  if (text === undefined) return otherwise;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (value < least || value > most) throw new ConfigurationError(`${variable} must be a whole number from ${least} to ${most}`);
  return value;
}

function toChoice<Choice extends string>(given: Given, variable: TraceVariable, choices: readonly Choice[], otherwise: Choice): Choice {
  const text = given[variable];
  if (text === undefined) return otherwise;
  const choice = choices.find((known) => known === text);
  if (choice === undefined) throw new ConfigurationError(`${variable} must be ${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`);
  return choice;
}
