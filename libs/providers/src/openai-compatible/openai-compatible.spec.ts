import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FailureClass, findPresetByOrigin, getProvider, isMissingModel, parsePreset, PRESET_NAMES, PRESETS, type ProviderFailure, streamsUsage } from '@weir/providers';

const provider = getProvider('openai-compatible');
const read = (status: number, name: string): ProviderFailure => provider.readFailure(status, {}, readFileSync(join(__dirname, 'fixtures', name)), 0);
const at = (preset: unknown, basePath = '/v1', options: Record<string, unknown> = {}) => ({ origin: 'http://gpu:8000', basePath, options: { preset, ...options } });

describe('errors of servers and services that speak as OpenAI does', () => {
  it.each<[status: number, fixture: string, FailureClass]>([
    [401, 'vllm-unauthorized.reference.json', 'bad_key'],
    [401, 'llama-key.reference.json', 'bad_key'],
    [400, 'groq-restricted.reference.json', 'bad_key'],
    [400, 'xai-key.reference.json', 'bad_key'],
    [401, 'cerebras-key.reference.json', 'bad_key'],
    [401, 'cohere-key.reference.json', 'bad_key'],
    [403, 'fireworks-key.reference.json', 'bad_key'],
    [401, 'perplexity-key.reference.html', 'bad_key'],
    [402, 'deepseek-balance.reference.json', 'quota_exhausted'],
    [402, 'openrouter-credits.reference.json', 'quota_exhausted'],
    [403, 'openrouter-key-limit.reference.json', 'quota_exhausted'],
    [429, 'xai-credits.reference.json', 'quota_exhausted'],
    [403, 'xai-credits.reference.json', 'quota_exhausted'],
    [429, 'cohere-trial.reference.json', 'quota_exhausted'],
    [412, 'fireworks-suspended.reference.json', 'quota_exhausted'],
    [429, 'moonshot-quota.reference.json', 'quota_exhausted'],
    [400, 'alibaba-arrearage.reference.json', 'quota_exhausted'],
    [401, 'perplexity-quota.reference.json', 'quota_exhausted'],
    [429, 'zai-balance.reference.json', 'quota_exhausted'],
    [429, 'groq-tpm.reference.json', 'throttled'],
    [429, 'mistral-capacity.reference.json', 'throttled'],
    [429, 'cerebras-queue.reference.json', 'throttled'],
    [429, 'moonshot-overloaded.reference.json', 'throttled'],
    [429, 'alibaba-tokens-per-minute.reference.json', 'throttled'],
    [429, 'tei-overloaded.reference.json', 'throttled'],
    [424, 'tei-backend.reference.json', 'fault'],
    [500, 'vllm-engine-dead.reference.json', 'fault'],
    [503, 'sglang-queue-full.reference.json', 'fault'],
    [503, 'llama-loading.reference.json', 'fault'],
    [503, 'ollama-busy.reference.json', 'fault'],
    [500, 'ollama-native.reference.json', 'fault'],
    [400, 'vllm-context.reference.json', 'caller'],
    [400, 'vllm-old.reference.json', 'caller'],
    [422, 'fastapi-invalid.reference.json', 'caller'],
    [422, 'mistral-extra.reference.json', 'caller'],
    [413, 'tei-too-long.reference.json', 'caller'],
    [403, 'openrouter-moderation.reference.json', 'caller'],
    [404, 'vllm-no-model.reference.json', 'caller'],
    [404, 'ollama-no-model.reference.json', 'caller'],
  ])('%i %s is %s', (status, fixture, expected) => {
    expect(read(status, fixture).failureClass).toBe(expected);
  });

  it.each(['llama-context.reference.json', 'llama-context-500.reference.json'])('blames no server for a prompt that is too long, whatever its status: %s', (fixture) => {
    expect(read(500, fixture)).toMatchObject({ failureClass: 'caller', status: 400 });
  });

  it.each(['vllm-no-model.reference.json', 'ollama-no-model.reference.json'])('knows a model that is not there: %s', (fixture) => {
    expect(isMissingModel(read(404, fixture))).toBe(true);
  });

  it('names the member at fault, and never what the caller put into it', () => {
    expect(read(422, 'fastapi-invalid.reference.json')).toMatchObject({ message: 'Field required', param: 'messages', type: 'invalid_request_error' });
    expect(JSON.stringify(read(422, 'fastapi-invalid.reference.json'))).not.toContain('secret prompt');
    expect(read(422, 'mistral-extra.reference.json')).toMatchObject({ message: 'Extra inputs are not permitted', param: 'max_completion_tokens' });
  });

  it('takes no sentence for a code', () => {
    expect(read(400, 'xai-key.reference.json').code).toBeNull();
    expect(read(413, 'tei-too-long.reference.json')).toMatchObject({ type: 'Validation', message: expect.stringContaining('must have less than 512 tokens') });
  });
});

describe('presets', () => {
  it('are chosen by name; others are refused', () => {
    for (const name of PRESET_NAMES) expect(parsePreset(name)).toBe(name);
    for (const value of ['', 'VLLM', 'toString', '__proto__', 5, null, undefined, {}]) expect(parsePreset(value)).toBeNull();
  });

  it('are known by the host of a service', () => {
    for (const name of PRESET_NAMES) {
      const { baseUrl } = PRESETS[name];
      if (baseUrl !== null) expect(findPresetByOrigin(new URL(baseUrl).origin)).toBe(name);
    }
    expect(findPresetByOrigin('https://api.groq.co')).toBeNull();
    expect(findPresetByOrigin('http://gpu:8000')).toBeNull();
  });

  it('cap the output by the name that every such server knows, without a preset or with one of a newer version', () => {
    expect(provider.toChatQuirks(at(undefined), 'm')).toEqual({ outputCapMember: 'max_tokens' });
    expect(provider.toChatQuirks(at('no-such'), 'm')).toEqual({ outputCapMember: 'max_tokens' });
  });

  it.each([
    ['vllm', 'm', { outputCapMember: 'max_tokens', takesTopK: true, reasoningEfforts: ['low', 'medium', 'high'] }],
    ['openrouter', 'm', { keepsReasoning: true, takesTopK: true }],
    ['deepseek', 'm', { reasoningEfforts: ['high', 'max'] }],
    ['groq', 'openai/gpt-oss-120b', { reasoningEfforts: ['low', 'medium', 'high'] }],
    ['groq', 'qwen/qwen3-32b', { reasoningEfforts: ['none'] }],
    ['groq', 'llama-3.3-70b-versatile', { reasoningEfforts: [] }],
    ['mistral', 'mistral-small-latest', { outputCapMember: 'max_tokens', reasoningEfforts: ['none', 'high'], refusedMembers: ['seed', 'user', 'metadata', 'stream_options'] }],
    ['mistral', 'codestral-latest', { reasoningEfforts: [] }],
    ['xai', 'grok-4', { reasoningEfforts: [] }],
  ])('%s with %s', (preset, model, expected) => {
    expect(provider.toChatQuirks(at(preset), model)).toMatchObject(expected);
  });

  it('ask for the usage of streams unless the preset or the upstream says no', () => {
    expect(streamsUsage(at('vllm'))).toBe(true);
    expect(streamsUsage(at('mistral'))).toBe(false);
    expect(streamsUsage(at('mistral', '/v1', { stream_usage: true }))).toBe(true);
    expect(streamsUsage(at('vllm', '/v1', { stream_usage: false }))).toBe(false);
    expect(streamsUsage(at(undefined))).toBe(true);
  });

  it.each([
    ['vllm', '/v1', '/health'],
    ['vllm', '', '/health'],
    ['sglang', '/gpu2/v1', '/gpu2/health'],
    ['ollama', '/v1', '/api/version'],
    ['groq', '/openai/v1', null],
    [undefined, '/v1', null],
  ])('%s at %j tells its health at %j', (preset, basePath, expected) => {
    expect(provider.toHealthPath(at(preset, basePath))).toBe(expected);
  });

  it("put Cohere's rerank where Cohere has it", () => {
    expect(provider.toPath(at('cohere', '/compatibility/v1'), 'rerank', 'm', false)).toBe('/v2/rerank');
    expect(provider.toPath(at('cohere', '/compatibility/v1'), 'openai-chat', 'm', false)).toBe('/compatibility/v1/chat/completions');
    expect(provider.toPath(at('vllm'), 'rerank', 'm', false)).toBe('/v1/rerank');
  });
});
