import { ConfigurationError, loadConfiguration, readEnvironment } from '@weir/platform';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';

const HEX_A = 'a'.repeat(64);
const HEX_B = 'b'.repeat(64);
const DATABASE_URL = 'postgres://weir:pw@db/weir';

function messageOf(environment: NodeJS.ProcessEnv): string {
  try {
    loadConfiguration(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('loadConfiguration', () => {
  it('needs nothing', () => {
    const { dataDirectory, ...rest } = loadConfiguration({});
    expect(isAbsolute(dataDirectory) && dataDirectory.endsWith('.weir')).toBe(true);
    expect(rest).toEqual({
      host: '0.0.0.0',
      port: 8080,
      adminHost: '127.0.0.1',
      adminPort: 8081,
      metricsHost: '127.0.0.1',
      metricsPort: 9090,
      database: { kind: 'embedded' },
      databasePoolSize: 10,
      redis: null,
      encryptionKeys: null,
      workers: 1,
      corsOrigins: [],
      defaultRpm: 60,
      defaultRpd: 1000,
      limitsWithoutRedis: 'local',
      concurrencyWithoutRedis: 'local',
      budgetsWithoutRedis: 'refuse',
      abortedCallCharge: 'input',
      spoolMaxBytes: 1024 ** 3,
      spoolFsyncMs: 50,
      usageRetentionDays: 0,
      requestTimeoutMs: 60_000,
      streamTimeoutMs: 300_000,
      maxBodyBytes: 10_485_760,
      maxUploadBytes: 52_428_800,
      log: { level: 'info', format: 'json', file: null, maxSizeBytes: 10_485_760, maxFiles: 5, promptBody: false },
      shutdownTimeoutMs: 300_000,
    });
  });

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfiguration({ PORT: '', DATABASE_URL: '', REDIS_URL: ' ', ENCRYPTION_KEY: '', LOG_FILE: '' })).toEqual(loadConfiguration({}));
  });

  it('takes GATEWAY_PORT where PORT is not set', () => {
    expect(loadConfiguration({ GATEWAY_PORT: '9000' }).port).toBe(9000);
    expect(loadConfiguration({ GATEWAY_PORT: '9000', PORT: '9001' }).port).toBe(9001);
  });

  it.each([
    ['10m', 10_485_760],
    ['10MB', 10_485_760],
    ['10MiB', 10_485_760],
    ['512k', 524_288],
    ['1G', 1_073_741_824],
    ['2048', 2048],
    ['2048b', 2048],
  ])('reads the size %s', (text, bytes) => {
    expect(loadConfiguration({ MAX_BODY_BYTES: text }).maxBodyBytes).toBe(bytes);
  });

  it('joins the parts of a PostgreSQL address, escaping what needs it', () => {
    const { database } = loadConfiguration({ POSTGRES_HOST: 'db', POSTGRES_USER: 'u', POSTGRES_PASSWORD: 'p@:/', POSTGRES_DB: 'd', ENCRYPTION_KEY: HEX_A });
    expect(database).toEqual({ kind: 'url', url: 'postgres://u:p%40%3A%2F@db:5432/d' });
  });

  it('joins the parts of a Redis address', () => {
    expect(loadConfiguration({ REDIS_HOST: '::1', REDIS_PASSWORD: 'p/w' }).redis).toEqual({ url: 'redis://:p%2Fw@[::1]:6379' });
    expect(loadConfiguration({ REDIS_URL: 'rediss://cache:6380/1', REDIS_HOST: 'other' }).redis).toEqual({ url: 'rediss://cache:6380/1' });
  });

  it('calls a single encryption key k1', () => {
    expect(loadConfiguration({ ENCRYPTION_KEY: HEX_A.toUpperCase() }).encryptionKeys).toBe(`k1:${HEX_A}`);
  });

  it('keeps the order of a key ring: its first key writes', () => {
    expect(loadConfiguration({ ENCRYPTION_KEYS: ` new:${HEX_B} , old:${HEX_A},` }).encryptionKeys).toBe(`new:${HEX_B},old:${HEX_A}`);
  });

  it('takes exact origins', () => {
    expect(loadConfiguration({ CORS_ORIGINS: 'https://a.example, http://localhost:3000' }).corsOrigins).toEqual(['https://a.example', 'http://localhost:3000']);
  });

  it.each<[string, NodeJS.ProcessEnv, string]>([
    ['a port beyond the last', { PORT: '65536' }, 'PORT must be a whole number from 1 to 65535'],
    ['a port that is no number', { ADMIN_PORT: '80a' }, 'ADMIN_PORT must be'],
    ['a negative limit', { DEFAULT_RPM: '-1' }, 'DEFAULT_RPM must be'],
    ['a timeout of nothing', { REQUEST_TIMEOUT_MS: '0' }, 'REQUEST_TIMEOUT_MS must be'],
    ['a size without a number', { MAX_UPLOAD_BYTES: 'big' }, 'MAX_UPLOAD_BYTES must be a size'],
    ['a size of nothing', { LOG_MAX_SIZE: '0' }, 'LOG_MAX_SIZE must be'],
    ['an unknown way to limit', { LIMITS_WITHOUT_REDIS: 'open' }, 'LIMITS_WITHOUT_REDIS must be local or refuse'],
    ['an unknown way to keep budgets', { BUDGETS_WITHOUT_REDIS: 'open' }, 'BUDGETS_WITHOUT_REDIS must be local or refuse'],
    ['an unknown charge', { ABORTED_CALL_CHARGE: 'half' }, 'ABORTED_CALL_CHARGE must be estimate, input or none'],
    ['a spool of nothing', { SPOOL_MAX_BYTES: '0' }, 'SPOOL_MAX_BYTES must be'],
    ['a negative retention', { USAGE_RETENTION_DAYS: '-1' }, 'USAGE_RETENTION_DAYS must be'],
    ['an unknown level', { LOG_LEVEL: 'loud' }, 'LOG_LEVEL must be'],
    ['a flag that is none', { LOG_PROMPT_BODY: 'maybe' }, 'LOG_PROMPT_BODY must be true or false'],
    ['a database of another kind', { DATABASE_URL: 'mysql://db/x' }, 'DATABASE_URL must be a URL that starts with postgres://'],
    ['a Redis address without a scheme', { REDIS_URL: 'cache:6379' }, 'REDIS_URL must be a URL'],
    ['a database whose place is missing', { POSTGRES_PASSWORD: 'pw' }, 'POSTGRES_HOST is missing'],
    ['a Redis whose place is missing', { REDIS_PASSWORD: 'pw' }, 'REDIS_HOST is missing'],
    ['a database without an encryption key', { DATABASE_URL }, 'ENCRYPTION_KEY is missing'],
    ['an encryption key that is too short', { ENCRYPTION_KEY: 'ab'.repeat(31) }, 'ENCRYPTION_KEY must be exactly 64 hex digits'],
    ['an encryption key that is no hex', { ENCRYPTION_KEY: 'g'.repeat(64) }, 'ENCRYPTION_KEY must be exactly 64 hex digits'],
    ['a ring with an id twice', { ENCRYPTION_KEYS: `a:${HEX_A},a:${HEX_B}` }, 'ENCRYPTION_KEYS names two keys with the same id'],
    ['a ring without ids', { ENCRYPTION_KEYS: HEX_A }, 'ENCRYPTION_KEYS must be id:hex,id:hex'],
    ['a ring without keys', { ENCRYPTION_KEYS: ',' }, 'ENCRYPTION_KEYS holds no key'],
    ['a key that the ring does not hold', { ENCRYPTION_KEY: HEX_A, ENCRYPTION_KEYS: `b:${HEX_B}` }, 'ENCRYPTION_KEY is set and is not in ENCRYPTION_KEYS'],
    ['several processes without Redis', { WEIR_WORKERS: '2' }, 'WEIR_WORKERS is more than 1, which needs REDIS_URL'],
    ['any origin', { CORS_ORIGINS: '*' }, 'CORS_ORIGINS must be'],
    ['an origin with a path', { CORS_ORIGINS: 'https://a.example/' }, 'CORS_ORIGINS must be'],
    ['an origin that is no web page', { CORS_ORIGINS: 'file://x' }, 'CORS_ORIGINS must be'],
    ['a default port in an origin', { CORS_ORIGINS: 'https://a.example:443' }, 'CORS_ORIGINS must be'],
  ])('refuses %s, and says which variable', (_what, environment, message) => {
    const said = messageOf(environment);
    expect(said.startsWith(message)).toBe(true);
    expect(said).not.toContain('\n');
  });

  it.each<NodeJS.ProcessEnv>([
    { ENCRYPTION_KEY: 'canary' },
    { ENCRYPTION_KEYS: 'canary' },
    { ENCRYPTION_KEYS: 'a:canary' },
    { DATABASE_URL: 'canary' },
    { DATABASE_URL: 'mysql://u:canary@h/d' },
    { REDIS_URL: 'http://:canary@h' },
    { REDIS_PASSWORD: 'canary' },
    { POSTGRES_PASSWORD: 'canary' },
  ])('never shows the value of a secret variable: %p', (environment) => {
    expect(messageOf(environment)).not.toMatch(/canary|accepted/);
  });

  it('cannot be changed', () => {
    expect(Object.isFrozen(loadConfiguration({}))).toBe(true);
  });
});

describe('readEnvironment', () => {
  it('adds what .env says, and lets the real environment win', () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-env-'));
    try {
      writeFileSync(join(folder, '.env'), '# comment\nPORT=1000\nADMIN_PORT="1001"\nHOST=::1\n');
      expect(readEnvironment({ PORT: '2000', HOST: '' }, folder)).toEqual({ PORT: '2000', ADMIN_PORT: '1001', HOST: '::1' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is the real environment where there is no .env', () => {
    expect(readEnvironment({ PORT: '1' }, join(tmpdir(), 'no-such-folder'))).toEqual({ PORT: '1' });
  });
});
