import { type IncomingMessage } from 'node:http';
import { type ProviderName } from '@weir/providers';
import { type UpstreamRecord } from '@weir/upstreams';
import { RouteTable } from '../route-table';
import { findKnownOperation } from './find-known-operation';

const routes = new RouteTable({ embedModel: 'e', rerankModel: 'r' });

function find(provider: ProviderName, path: string, basePath = '', method = 'POST'): string | null {
  const upstream = { provider, address: { origin: 'https://x.example', basePath, options: {} } } as unknown as UpstreamRecord;
  return findKnownOperation(routes, upstream, { method } as IncomingMessage, { name: 'x', path, query: '' })?.definition.format ?? null;
}

describe('findKnownOperation', () => {
  it.each([
    ['openai', '/v1/chat/completions', '/v1', 'openai-chat'],
    ['openai', '/chat/completions', '/v1', 'openai-chat'],
    ['openai', '/v1/responses', '/v1', 'openai-responses'],
    ['openai', '/v1/embeddings', '/v1', 'openai-embeddings'],
    ['azure', '/openai/deployments/a/chat/completions', '', 'openai-chat'],
    ['azure', '/openai/v1/chat/completions', '/openai/v1', 'openai-chat'],
    ['anthropic', '/v1/messages', '', 'anthropic'],
    ['anthropic', '/v1/messages/count_tokens', '', 'anthropic-count-tokens'],
    ['gemini', '/v1beta/models/gemini-3:streamGenerateContent', '/v1beta', 'gemini'],
    ['openai-compatible', '/api/v1/chat/completions', '/api/v1', 'openai-chat'],
    ['openai-compatible', '/v1/chat/completions', '/api/v1', 'openai-chat'],
    // Wherever a server has it: nobody gets past the price by another address of the same work.
    ['openai-compatible', '/api/chat/completions', '', 'openai-chat'],
    ['openai-compatible', '/x/y/v1/chat/completions', '/v1', 'openai-chat'],
    ['openai-compatible', '/v1/chat/completions/', '/v1', 'openai-chat'],
    ['openai-compatible', '/v1/messages', '/v1', 'anthropic'],
    ['openai-compatible', '/v1/responses', '/v1', 'openai-responses'],
  ] as const)('%s %s behind %j is %s', (provider, path, basePath, format) => {
    expect(find(provider, path, basePath)).toBe(format);
  });

  it.each([
    ['openai', '/v1/files'],
    ['openai', '/v1/messages'],
    ['tei', '/embed'],
    ['infinity', '/classify'],
    ['anthropic', '/v1/chat/completions'],
    ['openai-compatible', '/'],
  ] as const)('%s %s is nothing that is known', (provider, path) => {
    expect(find(provider, path)).toBeNull();
  });

  it('only where work is asked for', () => {
    expect(find('openai', '/v1/chat/completions', '', 'GET')).toBeNull();
  });
});
