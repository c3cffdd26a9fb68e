import { ConfigurationError, loadConfiguration, readEnvironment } from '@weir/platform';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

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
      dependencyTimeoutMs: 300,
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
      file: { path: resolve('weir.yaml'), isNamed: false },
      gpu: {
        hosts: { EMBED_SERVER_1: null, EMBED_SERVER_2: null, VLM_HOST: null, TRELLIS_HOST: null },
        ports: {
          PORT_SIGLIP2: 6010,
          PORT_EMBED_4B: 6011,
          PORT_EMBED_BGE: 6012,
          PORT_RERANK_4B: 6013,
          PORT_ZIMAGE: 6006,
          PORT_EMBED_8B: 6014,
          PORT_RERANK_8B: 6015,
          PORT_VLM: 6050,
          PORT_TRELLIS: 8000,
        },
        urls: { QWEN3_TTS_URL: null, INDEXTTS_URL: null },
      },
      defaultEmbed: 'embed_text_bge',
      defaultRerank: 'rerank_4b',
      voiceStore: { kind: 'disk' },
      voicesPerOrganization: 1000,
      traces: null,
      warnings: [],
    });
  });

  it('goes on without traces where one of their variables is wrong, and says so', () => {
    const { traces, warnings } = loadConfiguration({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_TRACES_SAMPLER: 'hunter2' });
    expect(traces).toBeNull();
    expect(warnings).toEqual([expect.stringMatching(/^there are no traces until this is put right: OTEL_TRACES_SAMPLER must be/)]);
    expect(warnings.join()).not.toContain('hunter2');
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

  it('takes where GPU services are: a name, an address, or either with its scheme', () => {
    const { gpu } = loadConfiguration({
      EMBED_SERVER_1: 'gpu-1.internal',
      EMBED_SERVER_2: 'https://10.0.0.7',
      VLM_HOST: 'fd00::7',
      TRELLIS_HOST: '[fd00::8]',
      PORT_VLM: '7000',
      INDEXTTS_URL: 'http://127.0.0.1:8081',
    });
    expect(gpu.hosts).toEqual({ EMBED_SERVER_1: 'gpu-1.internal', EMBED_SERVER_2: 'https://10.0.0.7', VLM_HOST: 'fd00::7', TRELLIS_HOST: '[fd00::8]' });
    expect(gpu.ports).toMatchObject({ PORT_VLM: 7000, PORT_TRELLIS: 8000 });
    expect(gpu.urls).toEqual({ QWEN3_TTS_URL: null, INDEXTTS_URL: 'http://127.0.0.1:8081' });
  });

  it.each<[string, NodeJS.ProcessEnv, string]>([
    ['a host with a port', { EMBED_SERVER_1: 'gpu:6010' }, 'EMBED_SERVER_1 must be a host name'],
    ['a host with a path', { VLM_HOST: 'http://gpu/v1' }, 'VLM_HOST must be a host name'],
    ['a host with a password', { TRELLIS_HOST: 'http://user:canary@gpu' }, 'TRELLIS_HOST must be a host name'],
    ['a service that is no URL', { QWEN3_TTS_URL: '127.0.0.1:8019' }, 'QWEN3_TTS_URL must be a URL'],
    ['a port that is none', { PORT_ZIMAGE: '0' }, 'PORT_ZIMAGE must be a whole number'],
    ['a pattern as the default model', { DEFAULT_EMBED: 'embed*' }, "DEFAULT_EMBED must be a model's name"],
  ])('refuses %s of a GPU service', (_what, environment, message) => {
    expect(messageOf(environment).startsWith(message)).toBe(true);
    expect(messageOf(environment)).not.toContain('canary');
  });

  it('remembers whether somebody named the file', () => {
    expect(loadConfiguration({ WEIR_YAML: '/etc/weir/weir.yaml' }).file).toEqual({ path: '/etc/weir/weir.yaml', isNamed: true });
    expect(loadConfiguration({ WEIR_YAML: '' }).file.isNamed).toBe(false);
  });

  it('keeps voices in an S3-compatible store whose secret is not shown', () => {
    const environment = { VOICE_STORE: 's3', VOICE_S3_BUCKET: 'weir-voices', VOICE_S3_ENDPOINT: 'http://minio:9000', VOICE_S3_PREFIX: '/tenants//voices', VOICE_S3_ACCESS_KEY_ID: 'AKIA', VOICE_S3_SECRET_ACCESS_KEY: 'canary' };
    const { voiceStore } = loadConfiguration(environment);
    expect(voiceStore).toMatchObject({ kind: 's3', endpoint: 'http://minio:9000', bucket: 'weir-voices', region: 'us-east-1', prefix: 'tenants/voices/', pathStyle: true });
    expect(JSON.stringify(voiceStore)).not.toContain('canary');
    expect(loadConfiguration({ VOICE_STORE: 's3', VOICE_S3_BUCKET: 'weir-voices' }).voiceStore).toMatchObject({ endpoint: null, credentials: null, prefix: 'voices/', pathStyle: false });
  });

  it.each([
    ['a store without a bucket', { VOICE_STORE: 's3' }, 'VOICE_S3_BUCKET is missing'],
    ['half of the credentials', { VOICE_STORE: 's3', VOICE_S3_BUCKET: 'abc', VOICE_S3_ACCESS_KEY_ID: 'canary' }, 'VOICE_S3_SECRET_ACCESS_KEY is missing'],
    ['another kind of store', { VOICE_STORE: 'ftp' }, 'VOICE_STORE must be disk or s3'],
    ['an endpoint that is no URL', { VOICE_S3_ENDPOINT: 'minio:9000' }, 'VOICE_S3_ENDPOINT must be a URL'],
  ])('refuses %s for voices', (_what, environment, message) => {
    expect(messageOf(environment).startsWith(message)).toBe(true);
    expect(messageOf(environment)).not.toContain('canary');
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
