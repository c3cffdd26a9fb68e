import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { Secret } from '@weir/kernel';
import { z } from 'zod';
import { ConfigurationError } from './configuration-error';
import { toTracesWarning } from './traces/to-traces-warning';
import { loadTraceConfiguration, type TraceConfiguration } from './traces/trace-configuration';

export { ConfigurationError };

export type DatabaseConfiguration = { kind: 'embedded' } | { kind: 'url'; url: string };
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface LogConfiguration {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  readonly file: string | null;
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
  readonly promptBody: boolean;
}

/** Says on which machine GPU services are. */
export type GpuHostVariable = 'EMBED_SERVER_1' | 'EMBED_SERVER_2' | 'VLM_HOST' | 'TRELLIS_HOST';
export type GpuPortVariable =
  | 'PORT_SIGLIP2'
  | 'PORT_EMBED_4B'
  | 'PORT_EMBED_BGE'
  | 'PORT_RERANK_4B'
  | 'PORT_ZIMAGE'
  | 'PORT_EMBED_8B'
  | 'PORT_RERANK_8B'
  | 'PORT_VLM'
  | 'PORT_TRELLIS';
export type GpuUrlVariable = 'QWEN3_TTS_URL' | 'INDEXTTS_URL';

/** Where GPU services are, variable by variable; what each of them is, is known elsewhere. */
export interface GpuConfiguration {
  /** A host name, an address, or either behind `http://` or `https://`; null when not set. */
  readonly hosts: Readonly<Record<GpuHostVariable, string | null>>;
  readonly ports: Readonly<Record<GpuPortVariable, number>>;
  readonly urls: Readonly<Record<GpuUrlVariable, string | null>>;
}

/** Which file declares upstreams and models. */
export interface ConfigurationFile {
  /** Absolute. */
  readonly path: string;
  /** Somebody named it: then it must be there. */
  readonly isNamed: boolean;
}

export interface S3Configuration {
  readonly kind: 's3';
  /** Null is AWS's own for the region. */
  readonly endpoint: string | null;
  readonly bucket: string;
  readonly region: string;
  /** Null: what every AWS client finds in its environment. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: Secret } | null;
  /** Put before every key: empty, or ends in a slash. */
  readonly prefix: string;
  /** The bucket stands in the path, as most stores besides AWS's want it. */
  readonly pathStyle: boolean;
}

export type VoiceStoreConfiguration = { readonly kind: 'disk' } | S3Configuration;

export interface Configuration {
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly metricsHost: string;
  readonly metricsPort: number;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly database: DatabaseConfiguration;
  readonly databasePoolSize: number;
  readonly redis: { readonly url: string } | null;
  /** The ring as text, `id:hex,id:hex`; null when the embedded database's own is to be made or read. */
  readonly encryptionKeys: string | null;
  readonly workers: number;
  readonly corsOrigins: readonly string[];
  /** 0 is no limit. */
  readonly defaultRpm: number;
  readonly defaultRpd: number;
  /** What happens to limits while Redis does not answer: each process counts its share, or nothing is admitted. */
  readonly limitsWithoutRedis: 'local' | 'refuse';
  /** The same for requests open at the same time. */
  readonly concurrencyWithoutRedis: 'local' | 'refuse';
  /** The same for budgets: `local` counts only while this is the only process. */
  readonly budgetsWithoutRedis: 'local' | 'refuse';
  /** The longest that a call waits for Redis and PostgreSQL to be admitted, and once more for an `Idempotency-Key`. */
  readonly dependencyTimeoutMs: number;
  /** What a call is charged whose caller left before its answer was there: its worst case, its prompt, or nothing. */
  readonly abortedCallCharge: 'estimate' | 'input' | 'none';
  /** The spool takes no new work beyond this. */
  readonly spoolMaxBytes: number;
  /** How long a record may be written before it is forced to the disk; 0 forces each one. */
  readonly spoolFsyncMs: number;
  /** Rows of the ledger older than this go; 0 keeps them for ever. */
  readonly usageRetentionDays: number;
  readonly requestTimeoutMs: number;
  readonly streamTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly maxUploadBytes: number;
  readonly log: LogConfiguration;
  /** How long a drain may take before what is still open is cut. */
  readonly shutdownTimeoutMs: number;
  /** Applied at the start: `weir.yaml` of the working directory, or the one that WEIR_YAML names. */
  readonly file: ConfigurationFile;
  readonly gpu: GpuConfiguration;
  /** The models that the short routes take where a request names none. */
  readonly defaultEmbed: string;
  readonly defaultRerank: string;
  /** Where the recordings of voices are kept; `disk` is a folder of the data directory. */
  readonly voiceStore: VoiceStoreConfiguration;
  readonly voicesPerOrganization: number;
  /** Where traces go; null: there are none. */
  readonly traces: TraceConfiguration | null;
  /** What is wrong and not worth a refused start, one line each; never with the value of a variable. */
  readonly warnings: readonly string[];
}

const MEGABYTE = 1024 * 1024;

const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be a whole number from ${least} to ${most}`);
const port = () => integer(1, 65_535);
const durationMs = () => integer(1, 86_400_000);
const hostName = () => z.string().regex(/^[A-Za-z0-9._:%-]+$/, 'must be a host name or an IP address');

const size = () =>
  z
    .string()
    .regex(/^\d{1,12}\s*([kmg]i?b?|b)?$/i, 'must be a size such as 10m, 10MB or a number of bytes')
    .transform(toBytes)
    .refine((bytes) => bytes >= 1 && bytes <= 1024 * 1024 * MEGABYTE, 'must be between 1 byte and 1024 GB');

const flag = z
  .enum(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'], 'must be true or false')
  .transform((value) => ['true', '1', 'yes', 'on'].includes(value))
  .default(false);

const HOST = String.raw`(?:[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%]*\]?)`;
const gpuHost = () => z.string().regex(new RegExp(`^(?:https?://)?${HOST}$`), 'must be a host name or an IP address, without a port or a path');
const modelName = () => z.string().regex(/^[^\s*\p{C}]{1,256}$/u, "must be a model's name");

const serviceUrl = (...schemes: string[]) =>
  z.string().refine((value) => schemes.some((scheme) => value.startsWith(scheme + '://')) && URL.canParse(value), `must be a URL that starts with ${schemes.map((scheme) => scheme + '://').join(' or ')}`);

const VARIABLES = z.object({
  HOST: hostName().default('0.0.0.0'),
  PORT: port().optional(),
  GATEWAY_PORT: port().optional(),
  ADMIN_HOST: hostName().default('127.0.0.1'),
  ADMIN_PORT: port().default(8081),
  METRICS_HOST: hostName().default('127.0.0.1'),
  METRICS_PORT: port().default(9090),
  DATABASE_URL: serviceUrl('postgres', 'postgresql').optional(),
  POSTGRES_HOST: hostName().optional(),
  POSTGRES_PORT: port().default(5432),
  POSTGRES_USER: z.string().default('weir'),
  POSTGRES_PASSWORD: z.string().optional(),
  POSTGRES_DB: z.string().optional(),
  DATABASE_POOL_SIZE: integer(1, 1000).default(10),
  REDIS_URL: serviceUrl('redis', 'rediss').optional(),
  REDIS_HOST: hostName().optional(),
  REDIS_PORT: port().default(6379),
  REDIS_PASSWORD: z.string().optional(),
  ENCRYPTION_KEY: z.string().optional(),
  ENCRYPTION_KEYS: z.string().optional(),
  WEIR_DATA_DIR: z.string().default('.weir'),
  WEIR_WORKERS: integer(1, 256).default(1),
  CORS_ORIGINS: z.string().default('').transform(toOrigins),
  DEFAULT_RPM: integer(0, 1_000_000_000).default(60),
  DEFAULT_RPD: integer(0, 1_000_000_000).default(1000),
  LIMITS_WITHOUT_REDIS: z.enum(['local', 'refuse'], 'must be local or refuse').default('local'),
  CONCURRENCY_WITHOUT_REDIS: z.enum(['local', 'refuse'], 'must be local or refuse').default('local'),
  BUDGETS_WITHOUT_REDIS: z.enum(['local', 'refuse'], 'must be local or refuse').default('refuse'),
  DEPENDENCY_TIMEOUT_MS: integer(50, 60_000).default(300),
  ABORTED_CALL_CHARGE: z.enum(['estimate', 'input', 'none'], 'must be estimate, input or none').default('input'),
  SPOOL_MAX_BYTES: size().default(1024 * MEGABYTE),
  SPOOL_FSYNC_MS: integer(0, 60_000).default(50),
  USAGE_RETENTION_DAYS: integer(0, 36_500).default(0),
  REQUEST_TIMEOUT_MS: durationMs().default(60_000),
  STREAM_TIMEOUT_MS: durationMs().default(300_000),
  SHUTDOWN_TIMEOUT_MS: durationMs().default(300_000),
  MAX_BODY_BYTES: size().default(10 * MEGABYTE),
  MAX_UPLOAD_BYTES: size().default(50 * MEGABYTE),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'must be fatal, error, warn, info, debug, trace or silent').default('info'),
  LOG_FORMAT: z.enum(['json', 'pretty'], 'must be json or pretty').default('json'),
  LOG_FILE: z.string().optional(),
  LOG_MAX_SIZE: size().default(10 * MEGABYTE),
  LOG_MAX_FILES: integer(1, 1000).default(5),
  LOG_PROMPT_BODY: flag,
  WEIR_YAML: z.string().optional(),
  EMBED_SERVER_1: gpuHost().optional(),
  PORT_SIGLIP2: port().default(6010),
  PORT_EMBED_4B: port().default(6011),
  PORT_EMBED_BGE: port().default(6012),
  PORT_RERANK_4B: port().default(6013),
  PORT_ZIMAGE: port().default(6006),
  EMBED_SERVER_2: gpuHost().optional(),
  PORT_EMBED_8B: port().default(6014),
  PORT_RERANK_8B: port().default(6015),
  VLM_HOST: gpuHost().optional(),
  PORT_VLM: port().default(6050),
  TRELLIS_HOST: gpuHost().optional(),
  PORT_TRELLIS: port().default(8000),
  QWEN3_TTS_URL: serviceUrl('http', 'https').optional(),
  INDEXTTS_URL: serviceUrl('http', 'https').optional(),
  DEFAULT_EMBED: modelName().default('embed_text_bge'),
  DEFAULT_RERANK: modelName().default('rerank_4b'),
  VOICE_STORE: z.enum(['disk', 's3'], 'must be disk or s3').default('disk'),
  VOICE_S3_ENDPOINT: serviceUrl('http', 'https').optional(),
  VOICE_S3_BUCKET: z.string().regex(/^[A-Za-z0-9._-]{3,63}$/, 'must be the name of a bucket').optional(),
  VOICE_S3_REGION: z.string().regex(/^[A-Za-z0-9-]{1,63}$/, 'must be the name of a region').default('us-east-1'),
  VOICE_S3_ACCESS_KEY_ID: z.string().optional(),
  VOICE_S3_SECRET_ACCESS_KEY: z.string().optional(),
  VOICE_S3_PREFIX: z.string().regex(/^[A-Za-z0-9!_.*'()/-]{1,256}$/, "must be letters, digits, slashes and any of !_.*'()-").default('voices/'),
  VOICE_S3_PATH_STYLE: flag.unwrap().optional(),
  VOICES_PER_ORGANIZATION: integer(0, 1_000_000).default(1000),
});

type Variables = z.output<typeof VARIABLES>;

/**
 * Understands the environment.
 * @throws ConfigurationError for the first variable that is wrong.
 */
export function loadConfiguration(environment: NodeJS.ProcessEnv): Configuration {
  const variables = parseVariables(environment);
  const database = toDatabase(variables);
  const redis = toRedis(variables);
  if (variables.WEIR_WORKERS > 1 && redis === null) {
    throw new ConfigurationError('WEIR_WORKERS is more than 1, which needs REDIS_URL: without Redis every process would count limits for itself');
  }
  return Object.freeze({
    host: variables.HOST,
    port: variables.PORT ?? variables.GATEWAY_PORT ?? 8080,
    adminHost: variables.ADMIN_HOST,
    adminPort: variables.ADMIN_PORT,
    metricsHost: variables.METRICS_HOST,
    metricsPort: variables.METRICS_PORT,
    dataDirectory: resolve(variables.WEIR_DATA_DIR),
    database,
    databasePoolSize: variables.DATABASE_POOL_SIZE,
    redis,
    encryptionKeys: toEncryptionKeys(variables, database),
    workers: variables.WEIR_WORKERS,
    corsOrigins: variables.CORS_ORIGINS,
    defaultRpm: variables.DEFAULT_RPM,
    defaultRpd: variables.DEFAULT_RPD,
    limitsWithoutRedis: variables.LIMITS_WITHOUT_REDIS,
    concurrencyWithoutRedis: variables.CONCURRENCY_WITHOUT_REDIS,
    budgetsWithoutRedis: variables.BUDGETS_WITHOUT_REDIS,
    dependencyTimeoutMs: variables.DEPENDENCY_TIMEOUT_MS,
    abortedCallCharge: variables.ABORTED_CALL_CHARGE,
    spoolMaxBytes: variables.SPOOL_MAX_BYTES,
    spoolFsyncMs: variables.SPOOL_FSYNC_MS,
    usageRetentionDays: variables.USAGE_RETENTION_DAYS,
    requestTimeoutMs: variables.REQUEST_TIMEOUT_MS,
    streamTimeoutMs: variables.STREAM_TIMEOUT_MS,
    maxBodyBytes: variables.MAX_BODY_BYTES,
    maxUploadBytes: variables.MAX_UPLOAD_BYTES,
    log: Object.freeze({
      level: variables.LOG_LEVEL,
      format: variables.LOG_FORMAT,
      file: variables.LOG_FILE === undefined ? null : resolve(variables.LOG_FILE),
      maxSizeBytes: variables.LOG_MAX_SIZE,
      maxFiles: variables.LOG_MAX_FILES,
      promptBody: variables.LOG_PROMPT_BODY,
    }),
    shutdownTimeoutMs: variables.SHUTDOWN_TIMEOUT_MS,
    file: Object.freeze({ path: resolve(variables.WEIR_YAML ?? 'weir.yaml'), isNamed: variables.WEIR_YAML !== undefined }),
    gpu: toGpu(variables),
    defaultEmbed: variables.DEFAULT_EMBED,
    defaultRerank: variables.DEFAULT_RERANK,
    voiceStore: toVoiceStore(variables),
    voicesPerOrganization: variables.VOICES_PER_ORGANIZATION,
    ...toTraces(environment),
  });
}

/** The process's environment with what `.env` in the working directory adds; the real environment wins. */
export function readEnvironment(environment: NodeJS.ProcessEnv = process.env, folder = process.cwd()): NodeJS.ProcessEnv {
  const path = resolve(folder, '.env');
  if (!existsSync(path)) return { ...environment };
  const set = Object.entries(environment).filter(([, value]) => value !== undefined && value !== '');
  return { ...parseEnv(readFileSync(path, 'utf8')), ...Object.fromEntries(set) };
}

function parseVariables(environment: NodeJS.ProcessEnv): Variables {
  // `PORT=` in a compose file means "not set", not "the port called nothing".
  const given = Object.entries(environment).map(([name, value]) => [name, value?.trim()] as const);
  const parsed = VARIABLES.safeParse(Object.fromEntries(given.filter(([, value]) => value !== undefined && value !== '')));
  if (parsed.success) return parsed.data;
  // Zod's own messages may quote the value; ours, given with each rule, never do.
  const [issue] = parsed.error.issues;
  throw new ConfigurationError(`${issue.path.join('.')} ${issue.message}`);
}

function toBytes(text: string): number {
  const [, digits, unit] = /^(\d+)\s*([a-z]?)/i.exec(text) ?? [];
  const factor = { k: 1024, m: MEGABYTE, g: 1024 * MEGABYTE }[unit?.toLowerCase() ?? ''] ?? 1;
  return Number(digits) * factor;
}

function toOrigins(text: string, context: z.RefinementCtx): string[] {
  const origins = splitList(text);
  for (const origin of origins) {
    // A browser sends exactly this form; anything else in the list would silently match nothing.
    const isExact = /^https?:\/\//.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin;
    if (!isExact) context.addIssue('must be origins such as https://console.example.com, comma-separated, lower-case, without a path, a wildcard or a default port');
  }
  return origins;
}

function toDatabase(variables: Variables): DatabaseConfiguration {
  if (variables.DATABASE_URL !== undefined) return { kind: 'url', url: variables.DATABASE_URL };
  if (variables.POSTGRES_HOST === undefined) {
    if (variables.POSTGRES_DB !== undefined || variables.POSTGRES_PASSWORD !== undefined) {
      throw new ConfigurationError('POSTGRES_HOST is missing: other POSTGRES_ variables are set, but not where the database is');
    }
    return { kind: 'embedded' };
  }
  const { POSTGRES_HOST: host, POSTGRES_PORT, POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: database = user } = variables;
  const credentials = encodeURIComponent(user) + (password === undefined ? '' : ':' + encodeURIComponent(password));
  return { kind: 'url', url: `postgres://${credentials}@${toUrlHost(host)}:${POSTGRES_PORT}/${encodeURIComponent(database)}` };
}

function toGpu(variables: Variables): GpuConfiguration {
  const { PORT_SIGLIP2, PORT_EMBED_4B, PORT_EMBED_BGE, PORT_RERANK_4B, PORT_ZIMAGE, PORT_EMBED_8B, PORT_RERANK_8B, PORT_VLM, PORT_TRELLIS } = variables;
  const { EMBED_SERVER_1 = null, EMBED_SERVER_2 = null, VLM_HOST = null, TRELLIS_HOST = null, QWEN3_TTS_URL = null, INDEXTTS_URL = null } = variables;
  return Object.freeze({
    hosts: Object.freeze({ EMBED_SERVER_1, EMBED_SERVER_2, VLM_HOST, TRELLIS_HOST }),
    ports: Object.freeze({ PORT_SIGLIP2, PORT_EMBED_4B, PORT_EMBED_BGE, PORT_RERANK_4B, PORT_ZIMAGE, PORT_EMBED_8B, PORT_RERANK_8B, PORT_VLM, PORT_TRELLIS }),
    urls: Object.freeze({ QWEN3_TTS_URL, INDEXTTS_URL }),
  });
}

function toRedis(variables: Variables): { url: string } | null {
  if (variables.REDIS_URL !== undefined) return { url: variables.REDIS_URL };
  const { REDIS_HOST: host, REDIS_PORT, REDIS_PASSWORD: password } = variables;
  if (host === undefined) {
    if (password !== undefined) throw new ConfigurationError('REDIS_HOST is missing: REDIS_PASSWORD is set, but not where Redis is');
    return null;
  }
  const credentials = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return { url: `redis://${credentials}${toUrlHost(host)}:${REDIS_PORT}` };
}

function toUrlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function toEncryptionKeys(variables: Variables, database: DatabaseConfiguration): string | null {
  if (variables.ENCRYPTION_KEYS !== undefined) return parseKeyRing(variables.ENCRYPTION_KEYS, variables.ENCRYPTION_KEY);
  if (variables.ENCRYPTION_KEY !== undefined) {
    if (!isEncryptionKey(variables.ENCRYPTION_KEY)) throw new ConfigurationError('ENCRYPTION_KEY must be exactly 64 hex digits; make one with: openssl rand -hex 32');
    return `k1:${variables.ENCRYPTION_KEY.toLowerCase()}`;
  }
  if (database.kind === 'url') {
    throw new ConfigurationError('ENCRYPTION_KEY is missing: with a database of your own it must be set, and kept; make one with: openssl rand -hex 32');
  }
  return null;
}

function parseKeyRing(text: string, single: string | undefined): string {
  const ids = new Set<string>();
  const keys: string[] = [];
  for (const [index, entry] of splitList(text).entries()) {
    const [id, key, ...rest] = entry.split(':');
    if (key === undefined || rest.length > 0 || !/^[A-Za-z0-9_-]{1,32}$/.test(id) || !isEncryptionKey(key)) {
      throw new ConfigurationError(`ENCRYPTION_KEYS must be id:hex,id:hex, each key exactly 64 hex digits; entry ${index + 1} is not`);
    }
    if (ids.has(id)) throw new ConfigurationError(`ENCRYPTION_KEYS names two keys with the same id; entry ${index + 1} repeats one`);
    ids.add(id);
    keys.push(key.toLowerCase());
  }
  if (keys.length === 0) throw new ConfigurationError('ENCRYPTION_KEYS holds no key');
  if (single !== undefined && !keys.includes(single.toLowerCase())) {
    throw new ConfigurationError('ENCRYPTION_KEY is set and is not in ENCRYPTION_KEYS: unset it, or add it to the ring');
  }
  return [...ids].map((id, index) => `${id}:${keys[index]}`).join(',');
}

function toVoiceStore(variables: Variables): VoiceStoreConfiguration {
  if (variables.VOICE_STORE === 'disk') return { kind: 'disk' };
  const { VOICE_S3_ENDPOINT: endpoint = null, VOICE_S3_BUCKET: bucket, VOICE_S3_REGION: region, VOICE_S3_ACCESS_KEY_ID: accessKeyId, VOICE_S3_SECRET_ACCESS_KEY: secret } = variables;
  if (bucket === undefined) throw new ConfigurationError('VOICE_S3_BUCKET is missing: VOICE_STORE is s3');
  if ((accessKeyId === undefined) !== (secret === undefined)) {
    throw new ConfigurationError(`${secret === undefined ? 'VOICE_S3_SECRET_ACCESS_KEY' : 'VOICE_S3_ACCESS_KEY_ID'} is missing: set both, or neither to use what AWS's own tools would`);
  }
  const credentials = accessKeyId === undefined || secret === undefined ? null : { accessKeyId, secretAccessKey: new Secret(secret) };
  const folders = variables.VOICE_S3_PREFIX.split('/').filter((folder) => folder !== '');
  const prefix = folders.map((folder) => `${folder}/`).join('');
  return Object.freeze({ kind: 's3', endpoint, bucket, region, credentials, prefix, pathStyle: variables.VOICE_S3_PATH_STYLE ?? endpoint !== null });
}

/** A wrong variable turns traces off: nobody shall go without answers for the sake of being watched. */
function toTraces(environment: NodeJS.ProcessEnv): Pick<Configuration, 'traces' | 'warnings'> {
  try {
    return { traces: loadTraceConfiguration(environment), warnings: [] };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { traces: null, warnings: [toTracesWarning(error)] };
  }
}

function isEncryptionKey(text: string): boolean {
  return /^[0-9a-f]{64}$/i.test(text);
}

function splitList(text: string): string[] {
  return text.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '');
}
