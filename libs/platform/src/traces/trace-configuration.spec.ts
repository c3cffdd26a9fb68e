import { ConfigurationError } from '../configuration-error';
import { loadTraceConfiguration, TRACE_VARIABLES } from './trace-configuration';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

function messageOf(environment: NodeJS.ProcessEnv): string {
  try {
    loadTraceConfiguration(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('loadTraceConfiguration', () => {
  it.each<[string, NodeJS.ProcessEnv]>([
    ['nothing is said', {}],
    ['no place is named', { OTEL_SERVICE_NAME: 'weir', OTEL_TRACES_SAMPLER: 'always_on' }],
    ['places are empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ' ' }],
    ['the SDK is disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' }],
    ['the exporter is none', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
    ['they are off, and something else is wrong', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none', OTEL_TRACES_SAMPLER: 'sometimes' }],
  ])('wants none where %s', (_what, environment) => {
    expect(loadTraceConfiguration(environment)).toBeNull();
  });

  it('has the defaults of the specification', () => {
    expect(loadTraceConfiguration({ OTEL_TRACES_EXPORTER: 'otlp' })).toEqual({
      endpoint: 'http://localhost:4318/v1/traces',
      headers: new Map(),
      timeoutMs: 10_000,
      compression: 'none',
      certificatePath: null,
      clientCertificatePath: null,
      clientKeyPath: null,
      serviceName: null,
      resourceAttributes: new Map(),
      propagates: true,
      sampler: 'parentbased_always_on',
      samplingRatio: 1,
      batching: { scheduleDelayMs: 5000, exportTimeoutMs: 30_000, maxQueueSize: 2048, maxExportBatchSize: 512 },
    });
  });

  it.each<[NodeJS.ProcessEnv, string]>([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector/otlp/' }, 'https://collector/otlp/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, 'http://collector:4318/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://other', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector/here' }, 'http://collector/here'],
  ])('reads from %j where they go', (environment, endpoint) => {
    expect(loadTraceConfiguration(environment)?.endpoint).toBe(endpoint);
  });

  it('takes what is said of traces before what is said of all signals', () => {
    const both = (name: string, ofAll: string, ofTraces: string): NodeJS.ProcessEnv => ({ [`OTEL_EXPORTER_OTLP_${name}`]: ofAll, [`OTEL_EXPORTER_OTLP_TRACES_${name}`]: ofTraces });
    const configuration = loadTraceConfiguration({
      ...ENDPOINT,
      ...both('TIMEOUT', '1', '2'),
      ...both('COMPRESSION', 'none', 'gzip'),
      ...both('PROTOCOL', 'grpc', 'http/protobuf'),
      ...both('CERTIFICATE', 'all.pem', 'traces.pem'),
      ...both('HEADERS', 'a=1,b=all', 'b=two%20words'),
    });
    expect(configuration).toMatchObject({ timeoutMs: 2, compression: 'gzip', certificatePath: 'traces.pem' });
    expect([...(configuration?.headers ?? [])].map(([name, value]) => [name, value.expose()])).toEqual([['a', '1'], ['b', 'two words']]);
    // A header may be a credential.
    expect(JSON.stringify([...(configuration?.headers ?? [])])).not.toContain('two words');
  });

  it('reads resources, samplers and ways to tell on', () => {
    expect(loadTraceConfiguration({ ...ENDPOINT, OTEL_RESOURCE_ATTRIBUTES: 'a=1, b = c%2Cd ,', OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25', OTEL_PROPAGATORS: 'none' })).toMatchObject({
      resourceAttributes: new Map([['a', '1'], ['b', 'c,d']]),
      sampler: 'traceidratio',
      samplingRatio: 0.25,
      propagates: false,
    });
  });

  it.each<[string, string, RegExp]>([
    ['OTEL_SDK_DISABLED', 'hunter2', /true or false/],
    ['OTEL_TRACES_EXPORTER', 'hunter2', /otlp or none/],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', /http\/protobuf.*4318/],
    ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'http/json', /http\/protobuf/],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318', /http:\/\/ or https:\/\//],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'hunter2', /http:\/\/ or https:\/\//],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'hunter2', /name=value.*entry 1/],
    ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'a=1,b=%0ahunter2', /entry 2/],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '10s', /whole number/],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', 'hunter2', /none or gzip/],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=1,hunter2', /entry 2/],
    ['OTEL_TRACES_SAMPLER', 'hunter2', /always_on, .* or parentbased_traceidratio/],
    ['OTEL_TRACES_SAMPLER_ARG', '2', /from 0 to 1/],
    ['OTEL_BSP_SCHEDULE_DELAY', '-1', /whole number/],
    ['OTEL_BSP_EXPORT_TIMEOUT', '0', /whole number/],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '1000000', /whole number/],
    ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '4096', /not be more than OTEL_BSP_MAX_QUEUE_SIZE/],
  ])('names %s, says what it must be, and does not show what it is', (variable, value, message) => {
    const told = messageOf({ ...ENDPOINT, [variable]: value });
    expect(told).toMatch(message);
    expect(told.startsWith(`${variable} must `)).toBe(true);
    expect(told).not.toContain('hunter2');
    expect(TRACE_VARIABLES).toContain(variable);
  });
});
