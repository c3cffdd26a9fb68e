import { Secret, zeroUsage } from '@weir/kernel';
import { getProvider, parseRetryAfter, type FailureClass } from '@weir/providers';

const openai = getProvider('openai');
const azure = getProvider('azure');
const body = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

describe('what an error answer says', () => {
  const cases: [string, number, unknown, FailureClass][] = [
    ['a wrong key', 401, { error: { message: 'Incorrect API key provided: sk-***', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }, 'bad_key'],
    ["Azure's wrong key", 401, { error: { code: '401', message: 'Access denied due to invalid subscription key or wrong API endpoint.' } }, 'bad_key'],
    ['a deactivated account', 403, { error: { message: 'x', type: 'invalid_request_error', param: null, code: 'account_deactivated' } }, 'bad_key'],
    ['a throttled key', 429, { error: { message: 'Rate limit reached', type: 'requests', param: null, code: 'rate_limit_exceeded' } }, 'throttled'],
    ["Azure's throttling", 429, { error: { code: '429', message: 'Requests have exceeded call rate limit.' } }, 'throttled'],
    ['throttling without a body', 429, '', 'throttled'],
    ['no quota left', 429, { error: { message: 'You exceeded your current quota', type: 'insufficient_quota', param: null, code: 'insufficient_quota' } }, 'quota_exhausted'],
    ['no credit left', 429, { error: { message: 'x', code: 'credit_balance_exhausted' } }, 'quota_exhausted'],
    ['a spend limit', 429, { error: { message: 'x', code: 'project_spend_limit_exceeded' } }, 'quota_exhausted'],
    ['payment required', 402, { error: { message: 'Insufficient Balance' } }, 'quota_exhausted'],
    ['a server error', 500, { error: { message: 'x', type: 'server_error' } }, 'fault'],
    ['overload in HTML', 503, '<html>', 'fault'],
    ['a redirect', 302, '', 'fault'],
    ['a timeout', 408, '', 'fault'],
    ['a context too long', 400, { error: { message: 'x', type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' } }, 'caller'],
    ["Azure's content filter", 400, { error: { message: 'x', code: 'content_filter', status: 400, innererror: { code: 'ResponsibleAIPolicyViolation' } } }, 'caller'],
    ['an unknown model', 404, { error: { message: 'x', code: 'model_not_found' } }, 'caller'],
    ["vLLM's numeric code", 400, { object: 'error', message: 'x', code: 400 }, 'caller'],
    ['validation details', 422, { detail: [{ loc: ['body'] }] }, 'caller'],
  ];
  it.each(cases)('%s', (_, status, answer, expected) => {
    expect(openai.readFailure(status, {}, body(answer), 0).failureClass).toBe(expected);
  });

  it("keeps the provider's words for the caller's own mistakes", () => {
    const failure = openai.readFailure(400, {}, body({ error: { message: 'too long', type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' } }), 0);
    expect(failure).toMatchObject({ message: 'too long', type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded', status: 400 });
  });

  it('bears any body', () => {
    for (const text of ['', 'null', '[]', '"x"', '{"error":null}', '{"error":[]}', '\u0000', '{"error":{"message":{}}}']) {
      expect(openai.readFailure(400, {}, body(text), 0).message).toBe('The upstream answered 400.');
    }
    expect(openai.readFailure(400, {}, body({ error: 'plain words' }), 0).message).toBe('plain words');
  });
});

describe('parseRetryAfter', () => {
  const nowMs = Date.parse('2026-11-20T10:00:00Z');
  it.each([
    [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 1500],
    [{ 'retry-after': '2' }, 2000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': 'Fri, 20 Nov 2026 10:00:07 GMT' }, 7000],
    [{ 'retry-after': 'Fri, 20 Nov 2020 10:00:07 GMT' }, 0],
    [{ 'retry-after': '-5' }, 0],
    [{ 'retry-after': '99999999999' }, 86_400_000],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '' }, null],
    [{ 'retry-after-ms': 'x', 'retry-after': ['3', '4'] }, 3000],
    [{}, null],
  ])('reads %j as %p ms', (headers, expected) => {
    expect(parseRetryAfter(headers, nowMs)).toBe(expected);
  });
});

describe('usage', () => {
  const read = (usage: unknown) => openai.readUsage(usage);

  it('reads chat, completion and embedding usage', () => {
    expect(
      read({
        prompt_tokens: 9,
        completion_tokens: 12,
        total_tokens: 21,
        prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 3, audio_tokens: 2 },
        completion_tokens_details: { reasoning_tokens: 5, audio_tokens: 1 },
      }),
    ).toEqual({ ...zeroUsage(), inputTokens: 9, cachedInputTokens: 4, cacheWriteTokens: 3, outputTokens: 12, reasoningTokens: 5, requests: 1 });
    expect(read({ prompt_tokens: 5, total_tokens: 5 })).toEqual({ ...zeroUsage(), inputTokens: 5, requests: 1 });
    expect(read({ prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: null })).toMatchObject({ inputTokens: 5, outputTokens: 1 });
    expect(read({ prompt_tokens: 5, completion_tokens: null, prompt_tokens_details: { cached_tokens: null } })).toMatchObject({ inputTokens: 5, cachedInputTokens: 0 });
    expect(read({ prompt_tokens: 0, completion_tokens: 0 })).toMatchObject({ inputTokens: 0, outputTokens: 0, requests: 1 });
  });

  it('has every unit in the order of all others, so that the road sees one shape', () => {
    expect(Object.keys(read({ prompt_tokens: 1, completion_tokens: 2 }) ?? {})).toEqual(Object.keys(zeroUsage()));
  });

  it.each([
    [{ cache_write_tokens: 7 }, {}, 7],
    [{ cache_creation_tokens: 7 }, {}, 7],
    [{}, { cache_creation_input_tokens: 7 }, 7],
    [{ cache_write_tokens: 7 }, { cache_creation_input_tokens: 1 }, 7],
    [{ cache_write_tokens: 500 }, {}, 8],
    [{ cache_write_tokens: null }, {}, 0],
  ])('reads cache writes however they are named, up to what the input leaves: %j %j', (details, more, expected) => {
    expect(read({ prompt_tokens: 10, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 2, ...details }, ...more })).toMatchObject({
      inputTokens: 10,
      cachedInputTokens: 2,
      cacheWriteTokens: expected,
    });
  });

  it.each([[{ cached_tokens: 3 }], [{ prompt_cache_hit_tokens: 3 }], [{ prompt_tokens_details: { cached_tokens: 3 }, prompt_cache_hit_tokens: 9 }]])(
    'reads cached tokens however they are named: %j',
    (more) => {
      expect(read({ prompt_tokens: 10, completion_tokens: 1, ...more })).toMatchObject({ cachedInputTokens: 3 });
    },
  );

  it('counts thinking that only the total has as output', () => {
    // xAI names it, Gemini does not.
    expect(read({ prompt_tokens: 5, completion_tokens: 1, total_tokens: 306, completion_tokens_details: { reasoning_tokens: 300 } })).toMatchObject({ outputTokens: 301, reasoningTokens: 300 });
    expect(read({ prompt_tokens: 5, completion_tokens: 1, total_tokens: 306 })).toMatchObject({ outputTokens: 301, reasoningTokens: 300 });
  });

  it.each([3, 6, -1, 6.5, 1e300, '9', null, undefined, {}])('takes no notice of a total that says nothing: %j', (total) => {
    expect(read({ prompt_tokens: 5, completion_tokens: 1, total_tokens: total })).toMatchObject({ inputTokens: 5, outputTokens: 1, reasoningTokens: 0 });
  });

  it.each([
    null,
    undefined,
    'x',
    [],
    {},
    { completion_tokens: 1 },
    { prompt_tokens: -1, completion_tokens: 1 },
    { prompt_tokens: 1.5, completion_tokens: 1 },
    { prompt_tokens: 1e300, completion_tokens: 1 },
    { prompt_tokens: 1_000_000_001, completion_tokens: 1 },
    { prompt_tokens: '5', completion_tokens: 1 },
    { prompt_tokens: 5, completion_tokens: -1 },
    { prompt_tokens: 5, completion_tokens: '1' },
    { prompt_tokens: 5, completion_tokens: 2 ** 63 },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 6 } },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: -1 } },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cache_write_tokens: -1 } },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cache_write_tokens: '1' } },
    { prompt_tokens: 5, completion_tokens: 1, completion_tokens_details: { reasoning_tokens: 2 } },
    { prompt_tokens: 5, completion_tokens: 1, completion_tokens_details: { reasoning_tokens: 0.5 } },
  ])('believes no lie: %j', (usage) => {
    expect(read(usage)).toBeNull();
  });
});

describe('where a request goes', () => {
  const at = (basePath: string, options: Record<string, unknown> = {}) => ({ origin: 'https://r.openai.azure.com', basePath, options });

  it('is below the base path at OpenAI, with a bearer token', () => {
    expect(openai.toPath(at('/v1'), 'chat', 'gpt')).toBe('/v1/chat/completions');
    expect(openai.toAuthorization(new Secret('k'))).toEqual(['authorization', 'Bearer k']);
  });

  it("names the deployment and the version in Azure's dated shape", () => {
    expect(azure.toPath(at('', { api_version: '2025-01-01-preview' }), 'embeddings', 'a b/c')).toBe(
      '/openai/deployments/a%20b%2Fc/embeddings?api-version=2025-01-01-preview',
    );
    expect(azure.toPath(at('/openai'), 'chat', 'd')).toBe('/openai/deployments/d/chat/completions?api-version=2024-10-21');
    expect(azure.toAuthorization(new Secret('k'))).toEqual(['api-key', 'k']);
  });

  it("is OpenAI's shape below /openai/v1 at Azure's v1", () => {
    expect(azure.toPath(at('/openai/v1'), 'chat', 'd')).toBe('/openai/v1/chat/completions');
    expect(azure.toPath(at('', { api_version: 'v1' }), 'chat', 'd')).toBe('/openai/v1/chat/completions');
  });
});
