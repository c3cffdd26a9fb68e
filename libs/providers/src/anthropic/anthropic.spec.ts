import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@weir/kernel';
import { type FailureClass, getProvider, isMissingModel, type ProviderFailure } from '@weir/providers';

const anthropic = getProvider('anthropic');
const NOW_MS = Date.parse('2026-11-21T18:00:00Z');
const read = (status: number, name: string, headers: Record<string, string> = {}): ProviderFailure =>
  anthropic.readFailure(status, headers, readFileSync(join(__dirname, 'fixtures', name)), NOW_MS);

describe("Anthropic's errors", () => {
  it.each<[status: number, fixture: string, FailureClass]>([
    [401, 'invalid-key.reference.json', 'bad_key'],
    [403, 'oauth-not-allowed.reference.json', 'bad_key'],
    [400, 'organization-disabled.reference.json', 'bad_key'],
    [400, 'organization-on-hold.reference.json', 'bad_key'],
    [400, 'credit-balance.reference.json', 'quota_exhausted'],
    [400, 'usage-limit.reference.json', 'quota_exhausted'],
    [400, 'workspace-usage-limit.reference.json', 'quota_exhausted'],
    [402, 'billing.reference.json', 'quota_exhausted'],
    [403, 'billing.reference.json', 'quota_exhausted'],
    [429, 'enforced-spend-limit.reference.json', 'quota_exhausted'],
    [429, 'rate-limit.reference.json', 'throttled'],
    [429, 'ramp-limit.reference.json', 'throttled'],
    [429, 'front-door.reference.html', 'throttled'],
    [529, 'overloaded.reference.json', 'fault'],
    [500, 'server.reference.json', 'fault'],
    [504, 'timeout.reference.json', 'fault'],
    [408, 'timeout.reference.json', 'fault'],
    [502, 'front-door.reference.html', 'fault'],
    [302, 'front-door.reference.html', 'fault'],
    [400, 'encryption-key.reference.json', 'fault'],
    [403, 'request-not-allowed.reference.json', 'fault'],
    [400, 'prompt-too-long.reference.json', 'caller'],
    [413, 'too-large.reference.json', 'caller'],
    [404, 'model-not-found.reference.json', 'caller'],
    [404, 'not-found.reference.json', 'caller'],
    [409, 'conflict.reference.json', 'caller'],
    [429, 'long-context.reference.json', 'caller'],
    [402, 'linked-organization.reference.json', 'caller'],
  ])('%i %s is %s', (status, fixture, expected) => {
    expect(read(status, fixture).failureClass).toBe(expected);
  });

  it('disables no key for a model or a file that it may not use: any caller could provoke that', () => {
    expect(read(403, 'permission.reference.json')).toMatchObject({ failureClass: 'caller', status: 403, type: 'permission_error' });
  });

  it('parks no key for words that a caller wrote and the error quotes', () => {
    expect(read(400, 'invalid-request.reference.json').failureClass).toBe('caller');
  });

  it('waits until access comes back, at most a day', () => {
    expect(read(400, 'workspace-usage-limit.reference.json').retryAfterMs).toBe(30 * 60_000);
    expect(read(400, 'usage-limit.reference.json').retryAfterMs).toBe(24 * 3_600_000);
    expect(read(400, 'credit-balance.reference.json').retryAfterMs).toBeNull();
  });

  it('waits as retry-after says, else until the limit that is used up frees', () => {
    const limits = {
      'anthropic-ratelimit-requests-remaining': '49',
      'anthropic-ratelimit-requests-reset': '2026-11-21T18:05:00Z',
      'anthropic-ratelimit-input-tokens-remaining': '0',
      'anthropic-ratelimit-input-tokens-reset': '2026-11-21T18:00:12Z',
    };
    expect(read(429, 'rate-limit.reference.json', { 'retry-after': '7', ...limits }).retryAfterMs).toBe(7000);
    expect(read(429, 'rate-limit.reference.json', limits).retryAfterMs).toBe(12_000);
    expect(read(429, 'rate-limit.reference.json').retryAfterMs).toBeNull();
    expect(read(529, 'overloaded.reference.json', limits).retryAfterMs).toBeNull();
  });

  it("keeps the provider's words and gives a missing model its code", () => {
    expect(read(400, 'prompt-too-long.reference.json')).toEqual({
      failureClass: 'caller',
      status: 400,
      retryAfterMs: null,
      message: 'prompt is too long: 205000 tokens > 200000 maximum',
      type: 'invalid_request_error',
      param: null,
      code: null,
      innerErrorJson: null,
    });
    expect(read(429, 'enforced-spend-limit.reference.json').code).toBe('enforced_spend_limit_reached');
    expect(isMissingModel(read(404, 'model-not-found.reference.json'))).toBe(true);
    expect(isMissingModel(read(404, 'not-found.reference.json'))).toBe(false);
  });

  it('shows the caller no 429 that no wait changes', () => {
    expect(read(429, 'long-context.reference.json').status).toBe(400);
  });
});

describe('where a request to Anthropic goes', () => {
  const at = (basePath: string, options: Record<string, unknown> = {}) => ({ origin: 'https://api.anthropic.com', basePath, options });

  it.each([
    ['', '/v1/messages'],
    ['/v1', '/v1/messages'],
    ['/anthropic', '/anthropic/v1/messages'],
    ['/anthropic/v1', '/anthropic/v1/messages'],
  ])('takes a base path %j with and without its version', (basePath, expected) => {
    expect(anthropic.toPath(at(basePath), 'anthropic', 'claude', false)).toBe(expected);
    expect(anthropic.toPath(at(basePath), 'anthropic-count-tokens', 'claude', false)).toBe(`${expected}/count_tokens`);
  });

  it('names the version, and the key in its own header', () => {
    expect(anthropic.toAuthorization(new Secret('k'))).toEqual(['x-api-key', 'k']);
    expect(anthropic.toHeaders(at(''))).toEqual(['anthropic-version', '2023-06-01']);
    expect(anthropic.toHeaders(at('', { anthropic_version: '2027-01-01' }))).toEqual(['anthropic-version', '2027-01-01']);
  });

  it('has no path for what it does not speak', () => {
    expect(() => anthropic.toPath(at(''), 'openai-chat', 'claude', false)).toThrow('no path for openai-chat');
  });
});
