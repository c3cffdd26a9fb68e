import { type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { Secret } from '@weir/kernel';
import { type ProviderName } from '@weir/providers';
import { type Candidate } from '@weir/upstreams';
import { type RequestFacts } from '../facts/request-facts';
import { RawExchange } from './raw-exchange';

interface Setup {
  readonly provider?: ProviderName;
  readonly basePath?: string;
  readonly options?: Record<string, unknown>;
  readonly hasKey?: boolean;
}

function toCandidate({ provider = 'openai', basePath = '/v1', options = {}, hasKey = true }: Setup): Candidate {
  const upstream = { provider, address: { origin: 'https://x.example', basePath, options } };
  return { target: { upstream, upstreamModel: '*' }, key: { id: hasKey ? 'k' : null, label: '', secret: new Secret(hasKey ? 'sk-weirs' : '') } } as unknown as Candidate;
}

function exchange(path: string, body: Buffer | (() => Readable) | null = null, query = ''): RawExchange {
  const request = { method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Bearer callers' }, complete: false } as unknown as IncomingMessage;
  const facts = { model: 'gpt-5' } as unknown as RequestFacts;
  return new RawExchange({ request, facts }, { name: 'x', path, query }, null, body, Buffer.isBuffer(body) ? body.length : null);
}

describe('what a provider’s own API is sent', () => {
  it.each([
    ['openai', ['authorization', 'Bearer sk-weirs'], '/v1/chat/completions'],
    ['anthropic', ['anthropic-version', '2023-06-01', 'x-api-key', 'sk-weirs'], '/v1/messages'],
    ['gemini', ['x-goog-api-key', 'sk-weirs'], '/v1/models/gemini-3:generateContent'],
  ] as const)('has the key where %s looks for it', (provider, own, path) => {
    const prepared = exchange(path, null, '?a=1').prepare(toCandidate({ provider }));
    expect(prepared).toMatchObject({ path: `${path}?a=1`, streamPath: `${path}?a=1`, format: 'raw', upstreamModel: 'gpt-5' });
    expect(prepared?.jsonHeaders).toEqual(['content-type', 'application/json', ...own, 'accept-encoding', 'identity']);
  });

  it('has none where the upstream has none, nor the caller’s', () => {
    const prepared = exchange('/v1/embeddings').prepare(toCandidate({ provider: 'openai-compatible', hasKey: false }));
    expect(prepared?.jsonHeaders).toEqual(['content-type', 'application/json', 'accept-encoding', 'identity']);
  });

  it('does not go where the upstream does not open the path', () => {
    expect(exchange('/v1/files').prepare(toCandidate({}))).toBeNull();
    expect(exchange('/v1/files').prepare(toCandidate({ options: { proxy_paths: '/v1/files' } }))).toMatchObject({ path: '/v1/files' });
    expect(exchange('/v1/embeddings').prepare(toCandidate({ options: { proxy_paths: '/v1/files' } }))).toBeNull();
  });

  it('a body in memory can be sent again, a passing one once, and not before it is asked for', () => {
    const held = exchange('/v1/embeddings', Buffer.from('{}'));
    expect([held.takeBody(), held.takeBody(), held.isUsedUp, held.isSending]).toEqual([Buffer.from('{}'), Buffer.from('{}'), false, false]);
    let opened = 0;
    const passing = exchange('/v1/files', () => {
      opened += 1;
      return Readable.from(['x']);
    });
    expect([passing.isUsedUp, passing.isSending]).toEqual([false, false]);
    const body = passing.takeBody();
    expect([opened, passing.isUsedUp, passing.isSending]).toEqual([0, true, true]);
    if (body === null || Buffer.isBuffer(body)) throw new Error('it is no stream');
    body.open();
    expect(opened).toBe(1);
  });

  it('nothing is nothing', () => {
    expect(exchange('/v1/models').takeBody()).toBeNull();
  });
});
