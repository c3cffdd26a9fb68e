import { Secret } from '@weir/kernel';
import { type Candidate } from '@weir/upstreams';
import { type RequestFacts } from './facts/request-facts';
import { prepareCall } from './prepared-call';

const chat = { operation: 'chat', format: 'openai-chat' } as unknown as RequestFacts;

function toCandidate(upstreamModel: string): Candidate {
  const upstream = { provider: 'openai', address: { origin: 'https://api.openai.com', basePath: '/v1', options: {} } };
  return { target: { upstream, upstreamModel }, key: { id: null, label: '', secret: new Secret('') } } as unknown as Candidate;
}

describe('a target that sends *', () => {
  it.each([
    ["what the route's own * stood for", 'openai/*', 'openai/gpt-6', 'gpt-6'],
    ['the name that was asked for, where the route has no *', 'gpt-6', 'gpt-6', 'gpt-6'],
  ])('sends %s', (_what, routeName, model, sent) => {
    expect(prepareCall(toCandidate('*'), routeName, model, chat)?.upstreamModel).toBe(sent);
  });

  it('keeps what stands before it', () => {
    expect(prepareCall(toCandidate('gpt-*'), 'gpt-*', 'gpt-5-mini', chat)?.upstreamModel).toBe('gpt-5-mini');
  });
});

describe('what a target can be asked', () => {
  const prepare = (provider: string, operation: string, format: string) => {
    const upstream = { provider, address: { origin: 'https://x.example', basePath: '/v1', options: {} } };
    const candidate = { target: { upstream, upstreamModel: 'm' }, key: { id: null, label: '', secret: new Secret('') } } as unknown as Candidate;
    return prepareCall(candidate, 'm', 'm', { operation, format } as unknown as RequestFacts);
  };

  it.each([
    ['openai', 'chat', 'openai-chat', 'openai-chat'],
    ['openai', 'chat', 'openai-responses', 'openai-responses'],
    ['openai', 'chat', 'anthropic', 'openai-chat'],
    ['openai-compatible', 'chat', 'openai-responses', 'openai-chat'],
    ['anthropic', 'chat', 'openai-chat', 'anthropic'],
    ['anthropic', 'chat', 'gemini', 'anthropic'],
    ['anthropic', 'chat', 'anthropic-count-tokens', 'anthropic-count-tokens'],
    ['gemini', 'chat', 'openai-responses', 'gemini'],
    ['gemini', 'embeddings', 'openai-embeddings', 'gemini-embed-batch'],
    ['vllm-omni', 'speech', 'openai-speech', 'vllm-omni-speech'],
  ])('%s, for %s in %s, is spoken to in %s', (provider, operation, format, spoken) => {
    expect(prepare(provider, operation, format)?.format).toBe(spoken);
  });

  it.each([
    ['anthropic', 'embeddings', 'openai-embeddings'],
    ['gemini', 'completions', 'openai-completions'],
    ['tei', 'chat', 'openai-chat'],
    ['openai', 'rerank', 'rerank'],
    ['gemini', 'chat', 'anthropic-count-tokens'],
  ])('%s does no %s in %s', (provider, operation, format) => {
    expect(prepare(provider, operation, format)).toBeNull();
  });
});

describe('the headers of a call', () => {
  it("have each name once, with the provider's own word before Weir's", () => {
    const upstream = { provider: 'trellis', address: { origin: 'https://x.example', basePath: '', options: {} } };
    const candidate = { target: { upstream, upstreamModel: 'm' }, key: { id: null, label: '', secret: new Secret('') } } as unknown as Candidate;
    const headers = prepareCall(candidate, 'm', 'm', { operation: 'meshes', format: 'meshes' } as unknown as RequestFacts)?.jsonHeaders ?? [];
    const names = headers.filter((_, index) => index % 2 === 0);
    expect(names).toEqual([...new Set(names)]);
    expect(headers[headers.indexOf('accept') + 1]).toBe('model/gltf-binary');
  });
});
