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
