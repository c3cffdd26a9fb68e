import { ControlPlane, type JsonValue } from '../../../../../test/support/control-plane';
import { parseUpstreamOptions } from './parse-upstream-options';

describe('parseUpstreamOptions', () => {
  it.each([
    ['openai', { queue_timeout_ms: 0, queue_length: 1, probe_path: '', probe_interval_ms: 1_000 }],
    ['openai', { queue_timeout_ms: 600_000, queue_length: 10_000, probe_path: '/v1/health?deep=no', probe_interval_ms: 3_600_000 }],
    ['gemini', { probe_path: '/' }],
    ['openai', { proxy_paths: '/v1/chat/completions, /v1/files', proxy_request_usd: 0 }],
    ['trellis', { proxy_paths: '/', proxy_request_usd: 0.000000001 }],
    ['anthropic', { anthropic_version: '2023-06-01' }],
    ['openai-compatible', { preset: 'vllm', no_key: true, stream_usage: false, drop_unsupported: true }],
    ['tei', { no_key: true, probe_path: '/health' }],
    ['infinity', { no_key: true }],
    ['vllm-omni', { no_key: true }],
    ['siglip2', { no_key: true }],
    ['index-tts', { no_key: true, response_formats: 'mp3,wav' }],
    ['trellis', { no_key: true, generate_path: '/v1/generate' }],
  ] as const)('takes for %s: %j', (provider, options) => {
    expect(parseUpstreamOptions(provider, options)).toEqual(options);
  });

  it.each([
    ['openai', { queue_timeout_ms: -1 }],
    ['openai', { queue_timeout_ms: 600_001 }],
    ['openai', { queue_timeout_ms: '30s' }],
    ['openai', { queue_timeout_ms: 1.5 }],
    ['openai', { queue_timeout_ms: null }],
    ['openai', { queue_length: 0 }],
    ['openai', { queue_length: 10_001 }],
    ['openai', { probe_interval_ms: 999 }],
    ['openai', { probe_interval_ms: 3_600_001 }],
    ['openai', { probe_path: 'health' }],
    ['openai', { probe_path: '//evil.example/health' }],
    ['openai', { probe_path: 'http://169.254.169.254/' }],
    ['openai', { probe_path: '/a/../b' }],
    ['openai', { probe_path: '/..' }],
    ['openai', { probe_path: '/a\\b' }],
    ['openai', { probe_path: '/a b' }],
    ['openai', { probe_path: '/a\r\nhost: x' }],
    ['openai', { probe_path: '/a#b' }],
    ['openai', { probe_path: '/ü' }],
    ['openai', { probe_path: `/${'x'.repeat(200)}` }],
    ['openai', { proxy_paths: '' }],
    ['openai', { proxy_paths: ',/v1' }],
    ['openai', { proxy_paths: 'v1/files' }],
    ['openai', { proxy_paths: '/v1//files' }],
    ['openai', { proxy_paths: '/v1/../files' }],
    ['openai', { proxy_paths: '/v1/%66iles' }],
    ['openai', { proxy_paths: '/v1/files?limit=1' }],
    ['openai', { proxy_paths: ['/v1/files'] }],
    ['openai', { proxy_paths: `/${'x'.repeat(2_000)}` }],
    ['openai', { proxy_request_usd: -0.01 }],
    ['openai', { proxy_request_usd: '0.01' }],
    ['openai', { proxy_request_usd: 10_000.01 }],
    ['openai', { proxy_request_usd: NaN }],
    ['openai', { no_key: true }],
    ['gemini', { no_key: true }],
    ['anthropic', { anthropic_version: 'latest' }],
    ['openai-compatible', { preset: 'nobody' }],
    ['index-tts', { response_formats: ['mp3'] }],
    ['trellis', { generate_path: '/../x' }],
    ['tei', { __proto__: null, constructor: 1 }],
  ] as const)('refuses for %s: %j', (provider, options) => {
    const [name] = Object.keys(options);
    expect(() => parseUpstreamOptions(provider, options)).toThrow(expect.objectContaining({ code: 'invalid_request', param: `options.${name}` }));
  });
});

describe('an upstream’s routing', () => {
  let plane: ControlPlane;

  beforeEach(async () => {
    plane = await ControlPlane.start();
  });

  afterEach(() => plane.stop());

  it('is written, audited and shown with what waits and what its probe said', async () => {
    const options = { queue_timeout_ms: 5_000, queue_length: 10, probe_path: '/up', probe_interval_ms: 2_000 };
    const made: JsonValue = (await plane.owner('POST', '/admin/upstreams', { name: 'gpu', provider: 'openai', base_url: 'https://gpu.example/v1', concurrency: 4, options })).body;
    expect(made.options).toEqual(options);
    expect((await plane.owner('GET', '/admin/audit?limit=1')).body.data[0].changes.options).toEqual({ old: null, new: options });
    await plane.refreshPool();
    expect((await plane.owner('GET', `/admin/upstreams/${made.id}`)).body.state).toMatchObject({ open_calls: 0, places: 4, waiting_calls: 0, probe: null });
  });
});
