import { type ProviderName } from '@weir/providers';
import { isAllowedPath } from './allowed-paths';

function isAllowed(provider: ProviderName, method: string, path: string, options: Record<string, unknown> = {}, basePath = ''): boolean {
  return isAllowedPath(provider, { basePath, options }, method, { path });
}

describe('without proxy_paths', () => {
  it.each([
    ['openai', 'POST', '/v1/chat/completions'],
    ['openai', 'POST', '/chat/completions'],
    ['openai', 'POST', '/v1/responses'],
    ['openai', 'POST', '/v1/audio/transcriptions'],
    ['openai', 'GET', '/v1/models'],
    ['openai', 'HEAD', '/v1/models/gpt-5'],
    ['azure', 'POST', '/openai/deployments/my-gpt/chat/completions'],
    ['azure', 'POST', '/openai/v1/responses'],
    ['anthropic', 'POST', '/v1/messages'],
    ['anthropic', 'POST', '/v1/messages/count_tokens'],
    ['gemini', 'POST', '/v1beta/models/gemini-3:streamGenerateContent'],
    ['gemini', 'GET', '/v1beta/models'],
    ['openai-compatible', 'POST', '/v1/chat/completions'],
    ['openai-compatible', 'POST', '/v1/responses'],
    ['openai-compatible', 'GET', '/v1/models'],
    ['openai-compatible', 'POST', '/api/v1/chat/completions'],
    ['openai-compatible', 'POST', '/v1/messages'],
    ['tei', 'POST', '/embed_sparse'],
  ] as const)('%s: %s %s is open', (provider, method, path) => {
    expect(isAllowed(provider, method, path)).toBe(true);
  });

  it.each([
    // Of other tenants, behind one key.
    ['openai', 'GET', '/v1/responses/resp_1'],
    ['openai', 'DELETE', '/v1/responses/resp_1'],
    ['openai', 'POST', '/v1/responses/resp_1/cancel'],
    ['openai', 'GET', '/v1/files'],
    ['openai', 'POST', '/v1/files'],
    ['openai', 'POST', '/v1/batches'],
    ['openai', 'GET', '/v1/chat/completions'],
    ['openai', 'GET', '/v1/organization/users'],
    ['openai', 'POST', '/v1/fine_tuning/jobs'],
    ['openai', 'DELETE', '/v1/models/ft:gpt'],
    ['openai', 'POST', '/v1/chat/completions/'],
    ['openai', 'POST', '/v1/ch%61t/completions'],
    ['openai', 'GET', '/'],
    ['azure', 'POST', '/openai/deployments/a/b/chat/completions'],
    ['azure', 'GET', '/openai/files'],
    ['anthropic', 'POST', '/v1/messages/batches'],
    ['anthropic', 'GET', '/v1/organizations/me'],
    ['gemini', 'POST', '/v1beta/cachedContents'],
    ['gemini', 'GET', '/v1beta/files'],
    ['gemini', 'POST', '/v1beta/models/a/b:generateContent'],
    ['openai-compatible', 'GET', '/v1/responses/resp_1'],
    ['openai-compatible', 'POST', '/v1/responses/resp_1/cancel'],
    ['openai-compatible', 'GET', '/v1/files/file-1/content'],
    ['openai-compatible', 'POST', '/v1/batches'],
    ['openai-compatible', 'GET', '/api/v1/keys'],
    ['openai-compatible', 'POST', '/anything/at/all'],
    ['openai-compatible', 'POST', '/v1/audio/speech'],
    ['vllm-omni', 'DELETE', '/v1/audio/voices/mine'],
    // Nobody's work.
    ['openai-compatible', 'GET', '/metrics'],
    ['openai-compatible', 'GET', '/METRICS/'],
    ['openai-compatible', 'POST', '/v1/load_lora_adapter'],
    ['openai-compatible', 'POST', '/update_weights_from_disk'],
    ['openai-compatible', 'POST', '/api/pull'],
    ['openai-compatible', 'DELETE', '/api/delete'],
    ['trellis', 'POST', '/shutdown'],
    // It would be told the key.
    ['openai-compatible', 'TRACE', '/v1/chat/completions'],
    ['tei', 'PROPFIND', '/embed'],
  ] as const)('%s: %s %s is closed', (provider, method, path) => {
    expect(isAllowed(provider, method, path)).toBe(false);
  });
});

describe('proxy_paths', () => {
  it.each([
    ['/v1/files', 'POST', '/v1/files', true],
    ['/v1/files', 'DELETE', '/v1/files/file-1', true],
    ['/v1/files/', 'GET', '/v1/files', true],
    ['/v1/files', 'GET', '/v1/filesystem', false],
    ['/v1/file', 'GET', '/v1/files', false],
    [' /v1/batches , /v1/files ', 'PATCH', '/v1/files/a', true],
    ['/v1/files', 'POST', '/v1/chat/completions', false],
    ['/', 'PUT', '/whatever', true],
    ['/v1/files', 'GET', '/files', true],
    ['/files', 'GET', '/v1/files', true],
    ['/', 'TRACE', '/whatever', false],
    ['', 'POST', '/v1/chat/completions', true],
    [' , ', 'POST', '/v1/chat/completions', true],
    [7, 'POST', '/v1/files', false],
  ] as const)('%j, %s %s: %s', (proxyPaths, method, path, isOpen) => {
    expect(isAllowed('openai', method, path, { proxy_paths: proxyPaths }, '/v1')).toBe(isOpen);
  });

  it('means what the caller writes, behind any base URL', () => {
    expect(isAllowed('openai', 'GET', '/v1/files/a', { proxy_paths: '/v1/files' }, '/team/v1')).toBe(true);
    expect(isAllowed('openai', 'GET', '/team/v1/files/a', { proxy_paths: '/v1/files' }, '/team')).toBe(true);
  });
});
