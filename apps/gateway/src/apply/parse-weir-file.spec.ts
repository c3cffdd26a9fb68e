import 'reflect-metadata';
import { ConfigurationError } from '@weir/platform';
import { type Declaration } from './declaration';
import { parseWeirFile } from './parse-weir-file';

const parse = (text: string, environment: NodeJS.ProcessEnv = {}): Promise<Declaration> => parseWeirFile(text, 'weir.yaml', environment);

async function messageOf(text: string, environment: NodeJS.ProcessEnv = {}): Promise<string> {
  try {
    await parse(text, environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'accepted';
}

const UPSTREAM = 'name: a, provider: openai, base_url: "https://api.openai.com/v1"';
const MODEL = 'name: m, operation: chat, targets: [{upstream: a}]';

describe('parseWeirFile', () => {
  it('takes a file without anything', async () => {
    const nothing = { upstreams: [], models: [], organizations: [] };
    for (const text of ['', '# only a comment\n', '{}', 'upstreams: []']) expect(await parse(text)).toEqual(nothing);
  });

  it('takes upstreams with their keys; a label is the name of the variable', async () => {
    const text = 'upstreams:\n- name: a\n  provider: azure\n  base_url: ${URL}\n  weight: 0\n  options: {api_version: v1}\n  keys:\n  - secret: ${KEY}\n  - secret: sk-2\n    label: two\n';
    const { upstreams } = await parse(text, { URL: 'https://x.openai.azure.com', KEY: 'sk-1' });
    expect(upstreams).toHaveLength(1);
    expect({ ...upstreams[0].fields }).toEqual({ name: 'a', provider: 'azure', base_url: 'https://x.openai.azure.com', weight: 0, options: { api_version: 'v1' } });
    expect(upstreams[0].keys.map(({ label, secret }) => [label, secret.expose()])).toEqual([
      ['KEY', 'sk-1'],
      ['two', 'sk-2'],
    ]);
    expect(JSON.stringify(upstreams)).not.toContain('sk-');
  });

  it('takes a model; its targets have its name where they say no other', async () => {
    const { models } = await parse(`models:\n- {${MODEL.replace('}]', ', weight: 5}, {upstream: b, upstream_model: n, priority: 1}]')}, price: {per_request_usd: "0.1"}, limits: {rpm: 5}}`);
    expect(models[0]).toMatchObject({ manner: 'declared', fields: { name: 'm', operation: 'chat', price: { per_request_usd: '0.1' }, limits: { rpm: 5 } } });
    expect(models[0].targets).toMatchObject([
      { upstream: 'a', upstreamModel: 'm', weight: 5 },
      { upstream: 'b', upstreamModel: 'n', priority: 1 },
    ]);
  });

  it.each([
    ['gpt-*', 'gpt-*'],
    ['openai/*', '*'],
    ['openai/gpt-*', 'gpt-*'],
    ['*', '*'],
  ])('takes a route %s for a model that is sent as %s', async (pattern, sent) => {
    const { models } = await parse(`routes: [{model: "${pattern}", targets: [{upstream: a}, {upstream: b, upstream_model: fixed}]}]`);
    expect(models[0].fields).toMatchObject({ name: pattern, operation: 'chat' });
    expect(models[0].targets.map(({ upstreamModel }) => upstreamModel)).toEqual([sent, 'fixed']);
  });

  it('takes a backend for an upstream and a model', async () => {
    const { upstreams, models } = await parse('backends: {vlm: {url: "http://10.0.0.1:6050", timeout: 30s}, embed_4b: {url: "http://h:1/api", upstream_model: e, price: {per_request_usd: 1}}}');
    expect(upstreams.map(({ fields }) => ({ ...fields }))).toMatchObject([
      { name: 'embed_4b', base_url: 'http://h:1/api', enabled: true },
      { name: 'vlm', provider: 'openai-compatible', base_url: 'http://10.0.0.1:6050/v1', timeout_ms: 30_000, stream_timeout_ms: 30_000, enabled: true, options: { no_key: true } },
    ]);
    expect(models).toMatchObject([
      { manner: 'offered', fields: { name: 'embed_4b', operation: 'embeddings', price: { per_request_usd: 1 } }, targets: [{ upstream: 'embed_4b', upstreamModel: 'e' }] },
      { manner: 'offered', fields: { name: 'vlm', operation: 'chat', price: { per_request_usd: 0 } }, targets: [{ upstream: 'vlm' }] },
    ]);
  });

  it('makes nothing of a backend that is switched off, and needs no URL for it', async () => {
    const { upstreams, models } = await parse('backends: {vlm: {enabled: false}}');
    expect(upstreams).toMatchObject([{ isWanted: false, fields: { name: 'vlm', enabled: false } }]);
    expect(models).toEqual([]);
  });

  it('takes a model as it is written out, and not what a backend offers under its name', async () => {
    const { models } = await parse('backends: {vlm: {url: "http://h"}}\nmodels: [{name: vlm, operation: chat, targets: [{upstream: vlm}], price: {per_request_usd: 2}}]');
    expect(models).toMatchObject([{ manner: 'declared', fields: { name: 'vlm', price: { per_request_usd: 2 } } }]);
  });

  it('takes organizations with their projects, limits and budgets', async () => {
    const { organizations } = await parse('organizations: [{name: Acme, limits: {rpm: 0}, budgets: [{amount_usd: "1.5", period: day}], projects: [{name: p, limits: {tpm: 1}}]}]');
    expect(organizations).toMatchObject([
      { fields: { name: 'Acme', limits: { rpm: 0 }, budgets: [{ amount_usd: '1.5', period: 'day' }] }, projects: [{ fields: { name: 'p', limits: { tpm: 1 } } }] },
    ]);
  });

  it.each([
    ['a section that is not known', 'upstream: []', 'weir.yaml:1:1: the field upstream is not known'],
    ['a field that is not known', 'upstreams:\n- name: a\n  wieght: 1', 'weir.yaml:3:3: the field upstreams[0].wieght is not known'],
    ['a field of a key', `upstreams: [{${UPSTREAM}, keys: [{secret: x, label: y, id: 1}]}]`, 'the field upstreams[0].keys[0].id is not known'],
    ['a field of a target', `models:\n- name: m\n  operation: chat\n  targets:\n  - upstream: a\n    upstream_id: b`, 'weir.yaml:6:5: the field models[0].targets[0].upstream_id is not known'],
    ['a price that is not known', `models: [{${MODEL}, price: {per_word: 1}}]`, 'the field models[0].price.per_word is not known'],
    ['a limit that is not known', `organizations: [{name: a, limits: {rps: 1}}]`, 'the field organizations[0].limits.rps is not known'],
    ['a caller’s key', 'organizations: [{name: a, keys: []}]', 'the field organizations[0].keys is not known'],
    ['a backend that is not known', 'backends: {llama: {url: "http://h"}}', 'the field backends.llama is not known; a service that is not known by name goes into upstreams'],
    ['what is missing', 'upstreams: [{name: a, provider: openai}]', '(upstreams[0].base_url): is missing'],
    ['a section of another kind', 'upstreams: {a: 1}', 'weir.yaml:1:1 (upstreams): must be a list'],
    ['the file of another kind', '- a', 'must be fields with values'],
    ['a provider that is not known', `upstreams: [{${UPSTREAM.replace('openai', 'watson')}}]`, '(upstreams[0].provider): must be one of: openai, '],
    ['a number that is none', `upstreams: [{${UPSTREAM}, weight: many}]`, '(upstreams[0].weight): must be a number'],
    ['a number that is too large', `upstreams: [{${UPSTREAM}, weight: 1000001}]`, '(upstreams[0].weight): must be at most 1000000'],
    ['a name with spaces around it', `upstreams: [{${UPSTREAM.replace('a,', '" a",')}}]`, '(upstreams[0].name): The field name is not valid'],
    ['no targets', 'models: [{name: m, operation: chat, targets: []}]', '(models[0].targets): must have at least 1 entries'],
    ['a secret without a label', `upstreams: [{${UPSTREAM}, keys: [{secret: sk-canary}]}]`, '(upstreams[0].keys[0].label): is missing: a secret that is written out needs one'],
    ['an empty secret', `upstreams: [{${UPSTREAM}, keys: [{secret: "\${GONE:-}"}]}]`, '(upstreams[0].keys[0].secret): must not be empty'],
    ['a secret that is not set', `upstreams:\n- name: a\n  provider: openai\n  base_url: x\n  keys:\n  - secret: \${GONE}`, 'weir.yaml:6:13: the environment variable GONE is not set (upstreams[0].keys[0].secret)'],
    ['two keys of one label', `upstreams: [{${UPSTREAM}, keys: [{secret: x, label: l}, {secret: y, label: l}]}]`, '(upstreams[0].keys[1].label): there is another label called l'],
    ['two upstreams of one name', `upstreams: [{${UPSTREAM}}, {${UPSTREAM.replace('a,', 'A,')}}]`, '(upstreams[1]): there is another upstream or backend called a'],
    ['a backend with an upstream’s name', `upstreams: [{${UPSTREAM.replace('a,', 'vlm,')}}]\nbackends: {vlm: {url: "http://h"}}`, 'weir.yaml:2:12 (backends.vlm): there is another upstream or backend called vlm'],
    ['two models of one name', `models: [{${MODEL}}, {${MODEL}}]`, '(models[1]): there is another model or route called m'],
    ['two organizations of one name', 'organizations: [{name: a}, {name: A}]', '(organizations[1].name): there is another organization called a'],
    ['a backend without a URL', 'backends:\n  vlm: {timeout: 1s}', 'weir.yaml:2:3 (backends.vlm.url): is missing'],
    ['a timeout that is none', 'backends: {vlm: {url: "http://h", timeout: soon}}', '(backends.vlm.timeout): must be seconds, or a text such as 30s'],
    ['a route that is no pattern', 'routes: [{model: gpt-5, targets: [{upstream: a}]}]', '(routes[0].model): must end in *'],
    ['a budget that is none', 'organizations: [{name: a, budgets: [{amount_usd: -1, period: day}]}]', '(organizations[0].budgets[0].amount_usd): The field'],
  ])('refuses %s', async (_what, text, message) => {
    const said = await messageOf(text);
    expect(said).toContain(message);
    expect(said).toMatch(/^weir\.yaml:\d+:\d+/);
    expect(said).not.toMatch(/canary|\n/);
  });
});
