import 'reflect-metadata';
import { isProviderName } from '@weir/providers';
import { parse } from 'yaml';
import { parseForeignYaml } from '../parse-yaml';
import { parseWeirFile } from '../parse-weir-file';
import { parseLitellmConfig } from './litellm-config';
import { findLitellmProvider, splitLitellmModel } from './litellm-providers';
import { type ImportedFile, toWeirFile } from './to-weir-file';

type Fields = ReturnType<typeof JSON.parse>;

const importText = (text: string): ImportedFile => toWeirFile(parseLitellmConfig(parseForeignYaml(text, 'config.yaml'), 'config.yaml'));
const importList = (...entries: object[]): ImportedFile => toWeirFile(parseLitellmConfig({ model_list: entries }, 'config.yaml'));
const fileOf = ({ text }: ImportedFile): Fields => parse(text);
const entry = (model_name: string, model: string, params: object = {}, more: object = {}): object => ({ model_name, litellm_params: { model, api_key: 'os.environ/KEY', ...params }, ...more });

describe('splitLitellmModel', () => {
  it.each([
    ['openai/gpt-4o', undefined, 'openai', 'gpt-4o'],
    ['gpt-4o', undefined, 'openai', 'gpt-4o'],
    ['claude-sonnet-4-5', undefined, 'anthropic', 'claude-sonnet-4-5'],
    ['openai/facebook/opt-125m', undefined, 'openai', 'facebook/opt-125m'],
    ['azure/o_series/my-o3', undefined, 'azure', 'my-o3'],
    ['openai/responses/o3-pro', undefined, 'openai', 'o3-pro'],
    ['facebook/opt-125m', 'hosted_vllm', 'hosted_vllm', 'facebook/opt-125m'],
    ['groq/llama', 'groq', 'groq', 'llama'],
    ['openrouter/anthropic/claude', undefined, 'openrouter', 'anthropic/claude'],
  ])('takes %s (%s) for %s, %s', (model, custom, prefix, upstreamModel) => {
    expect(splitLitellmModel(model, custom)).toEqual({ prefix, upstreamModel });
  });
});

describe('toWeirFile', () => {
  it.each([
    ['openai/m', {}, { provider: 'openai', base_url: 'https://api.openai.com/v1' }],
    ['openai/m', { api_base: 'http://10.0.0.1:8000/v1/' }, { provider: 'openai-compatible', base_url: 'http://10.0.0.1:8000/v1' }],
    ['azure/d', { api_base: 'https://x.openai.azure.com/', api_version: '2024-10-21' }, { provider: 'azure', base_url: 'https://x.openai.azure.com', options: { api_version: '2024-10-21' } }],
    ['azure/d', { api_base: 'os.environ/BASE', api_version: 'os.environ/VERSION' }, { provider: 'azure', base_url: '${BASE}', options: { api_version: '${VERSION}' } }],
    ['anthropic/c', {}, { provider: 'anthropic', base_url: 'https://api.anthropic.com' }],
    ['gemini/g', {}, { provider: 'gemini', base_url: 'https://generativelanguage.googleapis.com' }],
    ['groq/l', {}, { provider: 'openai-compatible', base_url: 'https://api.groq.com/openai/v1' }],
    ['openai_like/l', { api_base: 'https://l.example/v1' }, { provider: 'openai-compatible', base_url: 'https://l.example/v1' }],
    ['hosted_vllm/q', { api_base: 'http://h:8000/v1' }, { provider: 'openai-compatible', base_url: 'http://h:8000/v1' }],
    ['ollama/q', { api_base: 'http://h:11434' }, { provider: 'openai-compatible', base_url: 'http://h:11434/v1' }],
    ['ollama_chat/q', {}, { provider: 'openai-compatible', base_url: 'http://localhost:11434/v1' }],
  ])('knows where %s %j is', (model, params, upstream) => {
    expect(fileOf(importList(entry('m', model, params))).upstreams).toMatchObject([{ ...upstream, keys: [{ secret: '${KEY}' }] }]);
  });

  it('asks for no key of a server of one’s own', () => {
    const { upstreams } = fileOf(importList({ model_name: 'm', litellm_params: { model: 'hosted_vllm/q', api_base: 'http://h/v1' } }));
    expect(upstreams[0]).toMatchObject({ options: { no_key: true } });
    expect(upstreams[0].keys).toBeUndefined();
  });

  it('takes the variable that LiteLLM would read where no key is given', () => {
    const imported = importList({ model_name: 'm', litellm_params: { model: 'groq/q' } });
    expect(fileOf(imported).upstreams[0].keys).toEqual([{ secret: '${GROQ_API_KEY}' }]);
    expect(imported.text).toContain('# - m: it names no api_key: GROQ_API_KEY is taken, as LiteLLM does\n');
  });

  it('holds no key: those that are written out get names, equal ones the same', () => {
    const imported = importList(
      entry('a', 'openai/a', { api_key: 'sk-canary-1' }),
      entry('b', 'openai/b', { api_key: 'sk-canary-2' }),
      entry('c', 'openai/c', { api_key: 'sk-canary-1' }),
      entry('d', 'openai/d', { api_key: 'os.environ/OPENAI_API_KEY' }),
      entry('e', 'azure/e', { api_key: 'canary', api_base: 'https://user:canary@x.openai.azure.com/?key=canary' }),
      entry('f', 'openai/f', { extra_headers: { authorization: 'canary' } }),
    );
    expect(imported.madeVariables).toEqual(['OPENAI_API_KEY_2', 'OPENAI_API_KEY_3', 'AZURE_API_KEY']);
    expect(imported.variables).toEqual(['OPENAI_API_KEY_2', 'OPENAI_API_KEY_3', 'OPENAI_API_KEY', 'AZURE_API_KEY', 'KEY']);
    expect(imported.text).toContain('# Keys were written out there. Set these variables to them: OPENAI_API_KEY_2, OPENAI_API_KEY_3, AZURE_API_KEY\n');
    expect(imported.text + imported.notes.join()).not.toContain('canary');
  });

  it('shares an upstream among keys only where they serve the same', () => {
    const same = fileOf(importList(entry('a', 'openai/a', { api_key: 'os.environ/ONE' }), entry('a', 'openai/a', { api_key: 'os.environ/TWO' }), entry('a', 'azure/x', { api_base: 'https://x.example' })));
    expect(same.upstreams).toMatchObject([{ name: 'openai', keys: [{ secret: '${ONE}' }, { secret: '${TWO}' }] }, { name: 'azure' }]);
    // Each of three had a third.
    expect(same.models[0].targets).toEqual([{ upstream: 'openai', upstream_model: 'a', weight: 200 }, { upstream: 'azure', upstream_model: 'x' }]);
    const other = fileOf(importList(entry('a', 'openai/a', { api_key: 'os.environ/ONE' }), entry('b', 'openai/b', { api_key: 'os.environ/TWO' })));
    expect(other.upstreams).toMatchObject([{ name: 'openai', keys: [{ secret: '${ONE}' }] }, { name: 'openai-2', keys: [{ secret: '${TWO}' }] }]);
    const one = fileOf(importList(entry('a', 'openai/a'), entry('b', 'openai/b')));
    expect(one.upstreams).toHaveLength(1);
  });

  it.each([
    ['weight', [{ weight: 1 }, { weight: 3 }], [100, 300]],
    ['weight, where one has none', [{ weight: 2 }, {}], [200, 0]],
    ['rpm', [{ rpm: 480 }, { rpm: 60 }], [480, 60]],
    ['tpm that is larger than any weight', [{ tpm: 4_000_000 }, { tpm: 1_000_000 }], [1_000_000, 250_000]],
    ['nothing', [{}, {}], [undefined, undefined]],
  ])('shares calls by %s, as LiteLLM does', (_what, params, weights) => {
    const { models } = fileOf(importList(...params.map((each, index) => entry('m', `openai/m${index}`, each))));
    const targets: Fields[] = models[0].targets;
    expect(targets.map(({ weight }) => weight)).toEqual(weights.map((weight) => (weight === 100 ? undefined : weight)));
  });

  it('keeps the order in which deployments are tried', () => {
    const { models } = fileOf(importList(entry('m', 'openai/a', { order: 1 }), entry('m', 'openai/b', { order: 2 }), entry('m', 'openai/c')));
    expect(models[0].targets).toMatchObject([{ priority: 1 }, { priority: 2 }, { priority: 1_000 }]);
  });

  it('carries timeouts and concurrency to the upstream', () => {
    const { upstreams } = fileOf(importList(entry('m', 'openai/m', { timeout: 30, stream_timeout: '0.5', max_parallel_requests: 4 })));
    expect(upstreams[0]).toMatchObject({ timeout_ms: 30_000, stream_timeout_ms: 500, concurrency: 4 });
  });

  it('carries prices, without the dust of floating-point numbers', () => {
    const info = { input_cost_per_token: 0.0000003, output_cost_per_token: '1e-05', cache_read_input_token_cost: 7.5e-8 };
    const { models } = fileOf(importList(entry('m', 'openai/m', {}, { model_info: info }), entry('n', 'openai/n', { input_cost_per_character: 0.000015 })));
    expect(models[0].price).toEqual({ input_per_million_usd: 0.3, output_per_million_usd: 10, cached_input_per_million_usd: 0.075 });
    expect(models[1].price).toEqual({ per_thousand_characters_usd: 0.015 });
  });

  it.each([
    ['embedding', 'openai/x', 'embeddings'],
    ['completion', 'openai/x', 'completions'],
    ['chat', 'openai/embed', 'chat'],
    [undefined, 'openai/text-embedding-3-small', 'embeddings'],
    [undefined, 'openai/gpt-4o', 'chat'],
    [undefined, 'text-completion-openai/davinci', 'completions'],
  ])('takes mode %s of %s for %s', (mode, model, operation) => {
    expect(fileOf(importList(entry('m', model, {}, { model_info: { mode } }))).models[0].operation).toBe(operation);
  });

  it('carries aliases, and says what of the router it does not carry', () => {
    const imported = importText(
      'model_list: [{model_name: m, litellm_params: {model: openai/m}}]\n' +
        'router_settings: {routing_strategy: usage-based-routing-v2, model_group_alias: {n: m, h: {model: m, hidden: true}, x: gone}, redis_password: canary}\n' +
        'litellm_settings: {num_retries: 3, context_window_fallbacks: [{m: [n]}]}\ngeneral_settings: {master_key: sk-canary}\n',
    );
    expect(fileOf(imported).models.map(({ name }: Fields) => name)).toEqual(['m', 'n', 'h']);
    for (const note of [
      'router_settings.routing_strategy has no counterpart; the targets are weighted',
      'not carried over: router_settings.redis_password',
      'not carried over: litellm_settings.num_retries, litellm_settings.context_window_fallbacks',
      'x: left out: an alias of a model that is not in the file, or a name that is taken',
      'not carried over: general_settings',
    ]) {
      expect(imported.text).toContain(`# - ${note}\n`);
    }
    expect(imported.text).not.toContain('canary');
  });

  it('carries strategies and fallbacks as far as models have them, and says so where they have not', () => {
    const imported = importText(
      'model_list: [{model_name: m, litellm_params: {model: openai/m}}, {model_name: n, litellm_params: {model: openai/n}}]\n' +
        'router_settings: {routing_strategy: least-busy, fallbacks: [{m: [n]}]}\n',
    );
    const [model] = fileOf(imported).models;
    const notes = imported.notes.join('\n');
    expect(model.strategy === 'least-busy' || notes.includes('not carried over: router_settings.routing_strategy')).toBe(true);
    expect(JSON.stringify(model.fallbacks) === '["n"]' || notes.includes('m: not carried over: its fallbacks n')).toBe(true);
  });

  it.each([
    ['a provider that is not here', entry('m', 'bedrock/anthropic.claude'), 'm: left out: there is no provider here for bedrock/'],
    ['an address that is not given', entry('m', 'azure/m'), 'm: left out: it does not say an api_base that could be used'],
    ['an address that is none', entry('m', 'openai/m', { api_base: 'not a url' }), 'm: left out: it does not say an api_base'],
    ['a name with a space', entry('a b', 'openai/m'), 'a b: left out: a name may hold no spaces'],
    ['a name that would end the comment', entry('a\nupstreams: []', 'bedrock/m'), 'a?upstreams: []: left out'],
    ['no model', { model_name: 'm', litellm_params: {} }, 'm: left out: it has no litellm_params.model'],
  ])('leaves out %s, and says so', (_what, left, note) => {
    const imported = importList(left, entry('n', 'openai/n'));
    expect(fileOf(imported).models.map(({ name }: Fields) => name)).toEqual(['n']);
    expect(imported.text).toContain(`# - ${note}`);
  });

  it('finds the credentials that an entry names', () => {
    const imported = importText(
      'credential_list: [{credential_name: c, credential_values: {api_key: os.environ/CKEY, api_base: "https://x.example/v1"}}]\n' +
        'model_list: [{model_name: m, litellm_params: {model: openai/m, litellm_credential_name: c}}]\n',
    );
    expect(fileOf(imported).upstreams).toMatchObject([{ base_url: 'https://x.example/v1', keys: [{ secret: '${CKEY}' }] }]);
  });

  it('makes a file that apply takes, with texts that are no references', async () => {
    const imported = importList(entry('openai/*', 'openai/*'), entry('gpt-*', 'openai/gpt-*'), entry('odd', 'openai/${HOME}'), entry('local', 'hosted_vllm/q', { api_base: 'http://h/v1', api_key: undefined }));
    const { models, upstreams } = await parseWeirFile(imported.text, 'weir.yaml', { KEY: 'sk-1' });
    expect(models.map(({ fields, targets }) => [fields.name, targets[0].upstreamModel])).toEqual([
      ['openai/*', '*'],
      ['gpt-*', 'gpt-*'],
      ['odd', '${HOME}'],
      ['local', 'q'],
    ]);
    expect(upstreams).toHaveLength(2);
  });

  it('names only providers that there are', () => {
    for (const prefix of ['openai', 'azure', 'anthropic', 'gemini', 'groq', 'hosted_vllm', 'openai_like']) {
      expect(isProviderName(findLitellmProvider(prefix)?.provider)).toBe(true);
    }
    expect(findLitellmProvider('constructor')).toBeNull();
  });
});
