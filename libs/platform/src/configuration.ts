import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';

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
}

/** Says in one line which variable is wrong and how, and never shows the value of a secret one. */
export class ConfigurationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigurationError';
  }
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

function isEncryptionKey(text: string): boolean {
  return /^[0-9a-f]{64}$/i.test(text);
}

function splitList(text: string): string[] {
  return text.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '');
}
