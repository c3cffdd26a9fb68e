import { toOwnPath, toProviderPath, toUpstreamPath } from './to-upstream-path';

describe('toUpstreamPath', () => {
  it.each([
    ['', '/v1/messages', '/v1/messages'],
    ['/v1', '/v1/chat/completions', '/v1/chat/completions'],
    ['/v1', '/chat/completions', '/v1/chat/completions'],
    ['/v1', '/v1', '/v1'],
    ['/v1', '/v10/x', '/v10/x'],
    ['/v1beta', '/v1alpha/models', '/v1alpha/models'],
    ['/api/v1', '/v1/chat/completions', '/api/v1/chat/completions'],
    ['/api/v1', '/api/v1/chat/completions', '/api/v1/chat/completions'],
    ['/api/v1', '/chat/completions', '/api/v1/chat/completions'],
    ['/openai/v1', '/openai/deployments/a/chat/completions', '/openai/deployments/a/chat/completions'],
    ['/openai', '/openai/v1/responses', '/openai/v1/responses'],
    ['/v1beta/openai', '/openai/chat/completions', '/v1beta/openai/chat/completions'],
    ['/team-a', '/team-b/x', '/team-a/team-b/x'],
    ['/v1/team-a', '/v1/team-b/x', '/v1/team-a/v1/team-b/x'],
    ['/team', '/team-b', '/team/team-b'],
  ])('%s and %s are %s', (basePath, path, full) => {
    expect(toUpstreamPath(basePath, { path })).toBe(full);
  });

  it.each([
    ['anthropic', '', '/messages', '/v1/messages'],
    ['anthropic', '', '/v1/messages', '/v1/messages'],
    ['anthropic', '/v1', '/messages/count_tokens', '/v1/messages/count_tokens'],
    ['anthropic', '/anthropic', '/models', '/anthropic/v1/models'],
    ['anthropic', '/anthropic', '/v1/models', '/anthropic/v1/models'],
    ['anthropic', '', '/health', '/health'],
    ['openai', '', '/models', '/models'],
  ] as const)('at %s, %j and %s are %s', (provider, basePath, path, full) => {
    expect(toProviderPath(provider, basePath, { path })).toBe(full);
  });

  it('toOwnPath takes the base URL’s away again', () => {
    expect(toOwnPath('/api/v1', '/api/v1/embeddings')).toBe('/embeddings');
    expect(toOwnPath('/api', '/apis/x')).toBe('/apis/x');
    expect(toOwnPath('', '/x')).toBe('/x');
  });
});
