import { WeirError } from '@weir/kernel';
import {
  type ConversationAnswer, readAnthropicAnswer, readAnthropicRequest, readChatAnswer, readChatRequest, readGeminiAnswer, readGeminiErrorBody, readGeminiRequest, readGeminiUsage, readResponsesRequest,
  toConversationError, toGeminiUsage, toResponsesEchoJson, writeAnthropicAnswer, writeAnthropicRequest, writeChatAnswer, writeGeminiAnswer, writeGeminiError, writeGeminiRequest, writeResponsesAnswer,
} from '@weir/wire';
import { loadFixture, parseFixture } from '../fixtures/harness';

const options = { fallbackId: 'req_1' };
const chatOptions = { model: 'my-model', createdSeconds: 1_700_000_000 };
const USAGE = { inputTokens: 1919, cachedInputTokens: 1024, outputTokens: 346, reasoningTokens: 300, requests: 1 };
const fixture = (): ConversationAnswer => readGeminiAnswer(parseFixture('gemini-answer.reference.json'), options);
const ending = (finishReason: string, more: object = {}) => readGeminiAnswer({ candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason, ...more }] }, options);
const question = { role: 'user', content: 'Hi' };
const results = ['fc-1'];

/** What Google gets back of the answer's turn. */
const replayedParts = (request: Parameters<typeof writeGeminiRequest>[0]) => JSON.parse(writeGeminiRequest(request, { model: 'gemini-3.1-pro' })).contents[1].parts;
const signaturesOf = (parts: readonly { thoughtSignature?: string }[]) => parts.map(({ thoughtSignature }) => thoughtSignature);

describe('an answer of Gemini', () => {
  it('is understood whole: calls without ids, usage with cache, tools and thinking', () => {
    const answer = fixture();
    expect(answer).toMatchObject({ id: 'mAitaLmkHPPlz7IPvtfUqQ4', model: 'gemini-3.1-pro', stopReason: 'tool_calls', usage: USAGE });
    expect(answer.parts.filter(({ type }) => type !== 'reasoning')).toEqual([
      { type: 'text', text: 'Let me look.' },
      { type: 'tool_call', id: 'fc-1', name: 'get_weather', argumentsJson: '{"location":"Boston, MA","station":12345678901234567890}' },
      { type: 'tool_call', id: expect.stringMatching(/^call_[0-9a-f]{32}$/), name: 'get_time', argumentsJson: '{}' },
    ]);
  });

  it('reaches a chat caller, and comes back to Google with each signature at its part', () => {
    const { choices: [{ message, finish_reason }], usage } = JSON.parse(writeChatAnswer(fixture(), chatOptions));
    expect(finish_reason).toBe('tool_calls');
    expect(message).toMatchObject({ content: 'Let me look.', reasoning: 'The user wants the weather.' });
    expect(usage).toMatchObject({ prompt_tokens: 1919, completion_tokens: 346, total_tokens: 2265 });
    const parts = replayedParts(readChatRequest({ model: 'm', messages: [question, message, { role: 'tool', tool_call_id: results[0], content: 'x' }] }));
    expect(parts).toEqual([
      { text: 'Let me look.', thoughtSignature: 'AbCd/+8=' },
      { functionCall: expect.objectContaining({ name: 'get_weather' }), thoughtSignature: 'EuYCCuMCAdHtim9kOoO/+w==' },
      { functionCall: expect.objectContaining({ name: 'get_time' }) },
    ]);
  });

  it('reaches an Anthropic caller, and comes back to Google with each signature at its part', () => {
    const { role, content, stop_reason } = JSON.parse(writeAnthropicAnswer(fixture(), { model: 'm' }));
    expect(stop_reason).toBe('tool_use');
    expect(content.map(({ type }: { type: string }) => type)).toEqual(['thinking', 'text', 'redacted_thinking', 'redacted_thinking', 'tool_use', 'tool_use']);
    const parts = replayedParts(readAnthropicRequest({ model: 'm', max_tokens: 5, messages: [question, { role, content }, question] }));
    expect(signaturesOf(parts)).toEqual(['AbCd/+8=', 'EuYCCuMCAdHtim9kOoO/+w==', undefined]);
  });

  it('reaches a caller of Responses, and comes back to Google with each signature at its part', () => {
    const { output } = JSON.parse(writeResponsesAnswer(fixture(), { model: 'm', createdSeconds: 1, requestId: 'req_1', echoJson: toResponsesEchoJson({ model: 'm', input: 'Hi' }) }));
    const parts = replayedParts(readResponsesRequest({ model: 'm', store: false, input: [question, ...output] }));
    expect(signaturesOf(parts)).toEqual(['AbCd/+8=', 'EuYCCuMCAdHtim9kOoO/+w==', undefined]);
  });

  it('is the same for a Gemini caller, and comes back the same', () => {
    const text = writeGeminiAnswer(fixture(), { model: 'my-model' });
    expect(text).toContain('"station":12345678901234567890}');
    const written = JSON.parse(text);
    const original = JSON.parse(loadFixture('gemini-answer.reference.json').toString());
    const [thought, ...parts] = written.candidates[0].content.parts;
    expect(thought).toEqual({ text: 'The user wants the weather.', thought: true });
    expect(signaturesOf(parts)).toEqual(['AbCd/+8=', 'EuYCCuMCAdHtim9kOoO/+w==', undefined]);
    expect(parts[1].functionCall).toEqual(original.candidates[0].content.parts[2].functionCall);
    const request = readGeminiRequest({ contents: [{ parts: [{ text: 'Hi' }] }, written.candidates[0].content] }, { model: 'm', isStream: false });
    expect(signaturesOf(replayedParts(request))).toEqual(['AbCd/+8=', 'EuYCCuMCAdHtim9kOoO/+w==', undefined]);
  });

  it('hands on the first call alone where calls must not be parallel', () => {
    const answer = readGeminiAnswer(parseFixture('gemini-answer.reference.json'), { ...options, isParallelToolUse: false });
    expect(answer.parts.filter(({ type }) => type === 'tool_call')).toHaveLength(1);
    expect(answer.stopReason).toBe('tool_calls');
  });

  it.each([
    ['STOP', 'end'], ['MAX_TOKENS', 'output_cap'], ['CONTINUATION', 'output_cap'], ['SAFETY', 'refusal'], ['RECITATION', 'refusal'], ['LANGUAGE', 'refusal'],
    ['BLOCKLIST', 'refusal'], ['PROHIBITED_CONTENT', 'refusal'], ['SPII', 'refusal'], ['OTHER', 'refusal'], ['IMAGE_SAFETY', 'refusal'], ['A_NEW_ONE', 'end'],
  ])('ends with %s as %s', (reason, expected) => {
    expect(ending(reason).stopReason).toBe(expected);
  });

  it.each(['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL', 'TOO_MANY_TOOL_CALLS', 'MALFORMED_RESPONSE'])('that ends with %s is no answer', (reason) => {
    expect(() => ending(reason)).toThrow(expect.objectContaining({ code: 'upstream_error' }));
  });

  it('to a blocked prompt is a refusal, not an error', () => {
    const answer = readGeminiAnswer({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 8 } }, options);
    expect(answer).toMatchObject({ id: 'req_1', stopReason: 'refusal', parts: [{ type: 'refusal', text: 'The prompt was blocked: SAFETY.' }], usage: { inputTokens: 8 } });
    expect(JSON.parse(writeChatAnswer(answer, chatOptions)).choices[0]).toMatchObject({ finish_reason: 'content_filter', message: { content: null, refusal: 'The prompt was blocked: SAFETY.' } });
  });

  it('tells why it was cut off', () => {
    expect(ending('SAFETY', { finishMessage: 'Harm.' }).parts).toEqual([{ type: 'text', text: 'Hi' }, { type: 'refusal', text: 'Harm.' }]);
    expect(ending('SAFETY', { content: undefined }).parts).toEqual([]);
  });

  it.each([[null], [[]], [{}], [{ candidates: [] }], [{ candidates: [{}] }], [{ candidates: [{ content: { parts: [{ text: 5 }] } }] }], [{ candidates: [{ content: { parts: [{ functionCall: {} }] }, finishReason: 'STOP' }] }], [{ promptFeedback: {} }], ['<html>']])(
    "calls %j the upstream's fault",
    (body) => {
      expect(() => readGeminiAnswer(body, options)).toThrow(expect.objectContaining({ code: 'upstream_error' }));
    },
  );
});

describe('an answer for a Gemini caller', () => {
  /** So that Gemini takes the call, should the conversation go on there. */
  const SKIPPED = 'skip_thought_signature_validator';
  const anthropic = (): ConversationAnswer => readAnthropicAnswer(parseFixture('anthropic-answer.reference.json'));

  it("says all of Anthropic's in Google's words", () => {
    expect(JSON.parse(writeGeminiAnswer(anthropic(), { model: 'my-model' }))).toEqual({
      candidates: [
        {
          content: {
            role: 'model',
            parts: [
              { text: 'The user greets.', thought: true, thoughtSignature: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) },
              { text: expect.stringContaining('Hello') },
              ...(anthropic().parts.filter(({ type }) => type === 'text').length > 1 ? [{ text: expect.any(String) }] : []),
              { functionCall: { id: 'toolu_01D7FLrfh4GYq7yT1ULFeyMV', name: 'get_stock_price', args: { ticker: '^GSPC', account: expect.any(Number) } }, thoughtSignature: SKIPPED },
              { functionCall: { id: 'toolu_01A09q90qw90lq917835lq9', name: 'get_time', args: {} } },
            ],
          },
          finishReason: 'STOP',
          index: 0,
        },
      ],
      usageMetadata: { promptTokenCount: 1209, cachedContentTokenCount: 1000, candidatesTokenCount: 273, thoughtsTokenCount: 120, totalTokenCount: 1602 },
      modelVersion: 'my-model',
      responseId: 'msg_01XFDUDYJgAACzvnptvVoYEL',
    });
  });

  it.each([true, false])("brings Anthropic's thinking back to Anthropic as it came, shown or not (%j)", (wantsThoughts) => {
    const redacted = { type: 'reasoning', text: '', signature: null, redactedData: 'EmwKAhgBEgy3' } as const;
    const answer = { ...anthropic(), parts: [redacted, ...anthropic().parts] };
    const { candidates: [{ content }] } = JSON.parse(writeGeminiAnswer(answer, { model: 'm', wantsThoughts }));
    expect(JSON.stringify(content).includes('The user greets.')).toBe(wantsThoughts);
    // Google's Python client writes signatures in the alphabet of URLs.
    const sent = JSON.parse(JSON.stringify(content), (key, value: unknown) => (key === 'thoughtSignature' && typeof value === 'string' ? value.replaceAll('+', '-').replaceAll('/', '_') : value));
    const request = readGeminiRequest({ contents: [{ parts: [{ text: 'Hi' }] }, sent, { parts: [{ text: 'x' }] }] }, { model: 'm', isStream: false });
    const { messages } = JSON.parse(writeAnthropicRequest(request, { model: 'claude-opus-4-8', defaultOutputCap: 1 }));
    expect(messages[1].content.slice(0, 2)).toEqual([
      { type: 'redacted_thinking', data: 'EmwKAhgBEgy3' },
      { type: 'thinking', thinking: 'The user greets.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' },
    ]);
    // And to Google with none of it.
    expect(writeGeminiRequest(request, { model: 'gemini-2.5-pro' })).not.toMatch(/thought/);
  });

  it('tells a refusal', () => {
    const answer = readChatAnswer(parseFixture('chat-refusal.reference.json'));
    expect(JSON.parse(writeGeminiAnswer(answer, { model: 'm' })).candidates[0]).toMatchObject({ content: { parts: [{ text: '' }] }, finishReason: 'SAFETY', finishMessage: "I'm sorry, I cannot assist with that request." });
  });

  it('bears arguments that are no JSON object', () => {
    const answer: ConversationAnswer = { id: 'a', model: 'm', parts: [{ type: 'tool_call', id: 'c', name: 'f', argumentsJson: '{"x":' }], stopReason: 'tool_calls', stopSequence: null, usage: null };
    expect(JSON.parse(writeGeminiAnswer(answer, { model: 'm' })).candidates[0].content.parts).toEqual([{ functionCall: { id: 'c', name: 'f', args: { INVALID_JSON: '{"x":' } }, thoughtSignature: SKIPPED }]);
  });
});

describe("Gemini's usage", () => {
  it('is the same after the way there and back', () => {
    const usage = readGeminiUsage({ promptTokenCount: 20, cachedContentTokenCount: 5, candidatesTokenCount: 7, thoughtsTokenCount: 3 });
    expect(usage).toMatchObject({ inputTokens: 20, cachedInputTokens: 5, outputTokens: 10, reasoningTokens: 3 });
    expect(usage === null ? null : readGeminiUsage(toGeminiUsage(usage))).toEqual(usage);
  });

  it.each([[null], [{}], [{ totalTokenCount: 5 }], [{ promptTokenCount: -1 }], [{ promptTokenCount: 1.5 }], [{ promptTokenCount: '3' }], [{ promptTokenCount: 1, cachedContentTokenCount: 2 }], [{ promptTokenCount: 1e12 }]])('is not believed as %j', (usage) => {
    expect(readGeminiUsage(usage)).toBeNull();
  });
});

describe('an error', () => {
  it("of Weir's is said in Google's words", () => {
    const error = toConversationError(new WeirError('rate_limit_exceeded', { message: 'Slow down.', param: 'model' }));
    const text = writeGeminiError(error, { httpStatus: 429, retryAfterMs: 1500 });
    expect(JSON.parse(text)).toEqual({
      error: {
        code: 429,
        message: 'Slow down.',
        status: 'RESOURCE_EXHAUSTED',
        details: [
          { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'RATE_LIMIT_EXCEEDED', domain: 'weir' },
          { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: 'model', description: 'Slow down.' }] },
          { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1.5s' },
        ],
      },
    });
    expect(readGeminiErrorBody(Buffer.from(text))).toMatchObject({ code: 429, reason: 'RATE_LIMIT_EXCEEDED', field: 'model', retryDelayMs: 1500 });
  });

  it.each([
    ['invalid_request', 400, 'INVALID_ARGUMENT'],
    ['invalid_api_key', 401, 'UNAUTHENTICATED'],
    ['model_not_allowed', 403, 'PERMISSION_DENIED'],
    ['model_not_found', 404, 'NOT_FOUND'],
    ['body_too_large', 413, 'INVALID_ARGUMENT'],
    ['budget_exceeded', 429, 'RESOURCE_EXHAUSTED'],
    ['no_upstream_available', 503, 'UNAVAILABLE'],
    ['upstream_timeout', 504, 'DEADLINE_EXCEEDED'],
    ['upstream_error', 500, 'INTERNAL'],
  ] as const)("of code %s is %i %s for Google's clients", (code, status, name) => {
    expect(JSON.parse(writeGeminiError(toConversationError(new WeirError(code)))).error).toMatchObject({ code: status, status: name });
  });

  it("of Google's tells quota, wait and reason", () => {
    expect(readGeminiErrorBody(loadFixture('gemini-quota.reference.json'))).toEqual({
      code: 429,
      message: expect.stringContaining('exceeded your current quota'),
      status: 'RESOURCE_EXHAUSTED',
      reason: null,
      field: null,
      retryDelayMs: 34_075,
      quotaPeriod: 'day',
      quotaIds: ['GenerateContentInputTokensPerModelPerMinute-FreeTier', 'GenerateRequestsPerDayPerProjectPerModel-FreeTier'],
    });
    expect(readGeminiErrorBody(loadFixture('gemini-bad-key.reference.json'))).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT', reason: 'API_KEY_INVALID', quotaPeriod: null });
  });

  it('may be a list, cut, or no JSON at all', () => {
    const body = loadFixture('gemini-quota.reference.json');
    expect(readGeminiErrorBody(Buffer.from(`[${body.toString()}]`)).quotaPeriod).toBe('day');
    for (const bad of [body.subarray(0, 100), Buffer.alloc(0), Buffer.from('<html>'), Buffer.from('null'), Buffer.from('{"error":"x"}'), Buffer.from('[]')]) {
      expect(readGeminiErrorBody(bad)).toMatchObject({ code: null, message: null, retryDelayMs: null });
    }
    const minute = { error: { details: [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaMetric: 'x/generate_requests_per_minute' }] }, { '@type': 'google.rpc.RetryInfo', retryDelay: 'soon' }, 5] } };
    expect(readGeminiErrorBody(Buffer.from(JSON.stringify(minute)))).toMatchObject({ quotaPeriod: 'minute', retryDelayMs: null });
  });
});
