import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@weir/kernel';
import { type FailureClass, getProvider, isMissingModel, type ProviderFailure } from '@weir/providers';

const openai = getProvider('openai');
const read = (status: number, name: string, headers: Record<string, string> = {}): ProviderFailure =>
  openai.readFailure(status, headers, readFileSync(join(__dirname, 'fixtures', name)), 0);
const readText = (status: number, text: string): ProviderFailure => openai.readFailure(status, {}, Buffer.from(text), 0);

describe("OpenAI's errors", () => {
  it.each<[status: number, fixture: string, FailureClass]>([
    [401, 'invalid-key.reference.json', 'bad_key'],
    [403, 'deactivated.reference.json', 'bad_key'],
    [429, 'rate-limit.reference.json', 'throttled'],
    [429, 'overloaded.reference.html', 'throttled'],
    [429, 'insufficient-quota.reference.json', 'quota_exhausted'],
    [429, 'credit-balance-exhausted.reference.json', 'quota_exhausted'],
    [429, 'organization-spend-limit-exceeded.reference.json', 'quota_exhausted'],
    [429, 'project-spend-limit-exceeded.reference.json', 'quota_exhausted'],
    [429, 'organization-usage-limit-exceeded.reference.json', 'quota_exhausted'],
    [400, 'billing-hard-limit.reference.json', 'quota_exhausted'],
    [500, 'server.reference.json', 'fault'],
    [503, 'overloaded.reference.html', 'fault'],
    [302, 'overloaded.reference.html', 'fault'],
    [408, 'overloaded.reference.html', 'fault'],
    [403, 'country.reference.json', 'fault'],
    [400, 'context-length.reference.json', 'caller'],
    [404, 'model-not-found.reference.json', 'caller'],
    [413, 'overloaded.reference.html', 'caller'],
  ])('%i %s is %s', (status, fixture, expected) => {
    expect(read(status, fixture).failureClass).toBe(expected);
  });

  it('tells the spend limit by its own code where the type is an older one', () => {
    expect(readText(429, '{"error":{"message":"x","type":"requests","code":"project_spend_limit_exceeded"}}').failureClass).toBe('quota_exhausted');
    expect(readText(429, '{"error":{"message":"x","code":"credit_balance_exhausted"}}').failureClass).toBe('quota_exhausted');
  });

  it('disables no key for work that it is not made for: any caller could provoke that', () => {
    expect(read(401, 'missing-scope.reference.json')).toMatchObject({ failureClass: 'caller', status: 403, code: 'missing_scope' });
    expect(readText(401, '{"error":{"message":"x","code":"missing_scope"}}').failureClass).toBe('caller');
    expect(readText(401, '{"error":{"message":"You have insufficient permissions for this operation."}}').failureClass).toBe('caller');
  });

  it("keeps the provider's words for the caller's own mistakes", () => {
    expect(read(400, 'context-length.reference.json')).toEqual({
      failureClass: 'caller',
      status: 400,
      retryAfterMs: null,
      message: "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
      type: 'invalid_request_error',
      param: 'messages',
      code: 'context_length_exceeded',
      innerErrorJson: null,
    });
  });

  it('waits until the limit that is used up frees, where no time is named', () => {
    const limits = { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0s', 'x-ratelimit-remaining-tokens': '100', 'x-ratelimit-reset-tokens': '1h' };
    expect(read(429, 'rate-limit.reference.json', limits).retryAfterMs).toBe(360_000);
    expect(read(429, 'rate-limit.reference.json', { ...limits, 'retry-after-ms': '20' }).retryAfterMs).toBe(20);
    expect(read(500, 'server.reference.json', limits).retryAfterMs).toBeNull();
  });

  it('knows a model that is not there', () => {
    expect(isMissingModel(read(404, 'model-not-found.reference.json'))).toBe(true);
    expect(isMissingModel(readText(404, '{"error":{"message":"Not Found"}}'))).toBe(false);
    expect(isMissingModel(readText(500, '{"error":{"message":"x","code":"model_not_found"}}'))).toBe(false);
  });

  it('cuts a long message', () => {
    expect(readText(400, JSON.stringify({ error: { message: 'x'.repeat(10_000) } })).message).toHaveLength(2001);
  });
});

describe('where a request to OpenAI goes', () => {
  const address = { origin: 'https://api.openai.com', basePath: '/v1', options: {} };

  it('is below the base path, with a bearer token', () => {
    expect(openai.toPath(address, 'openai-chat', 'gpt', false)).toBe('/v1/chat/completions');
    expect(openai.toPath(address, 'openai-translations', 'gpt', false)).toBe('/v1/audio/translations');
    expect(openai.toAuthorization(new Secret('k'))).toEqual(['authorization', 'Bearer k']);
  });

  it('has a path for each format that it lists', () => {
    for (const formats of Object.values(openai.formats)) {
      for (const format of formats) expect(openai.toPath(address, format, 'gpt', false)).toMatch(/^\/v1\/[a-z/]+$/);
    }
  });
});
