import { parseExactJson, readResponsesEventError, readResponsesEventUsage, toResponsesEventFacts } from '@weir/wire';
import { loadFixture } from '../fixtures/harness';
import { parseResponsesStream } from '../fixtures/responses-harness';

/** What a relay would make of a stream that it passes. */
function relay(name: string) {
  let [text, end]: [string, string | null] = ['', null];
  let usage: ReturnType<typeof readResponsesEventUsage> = null;
  for (const event of parseResponsesStream(loadFixture(name))) {
    const facts = toResponsesEventFacts(event.type);
    if (facts.hasText && 'delta' in event && typeof event.delta === 'string') text += event.delta;
    usage = ('response' in event ? readResponsesEventUsage(event.response) : null) ?? usage;
    if (facts.end !== null) return { text, usage, end: facts.end, error: facts.end === 'badly' ? readResponsesEventError(event) : null };
    end = facts.end;
  }
  return { text, usage, end, error: null };
}

describe('a stream of Responses that is passed', () => {
  it('ends well, with its usage and every word once', () => {
    const { text, usage, end } = relay('responses-tools.reference.sse');
    expect(end).toBe('well');
    expect(text).toBe('**Checking the weather**Let me look: é 🦆{"location":"Paris"}');
    expect(usage).toMatchObject({ inputTokens: 1919, cachedInputTokens: 1024, cacheWriteTokens: 200, outputTokens: 110, reasoningTokens: 64, requests: 1 });
  });

  it.each([
    ['responses-failed.reference.sse', { kind: 'rate_limit', code: 'rate_limit_exceeded', message: 'Rate limit reached for gpt-5.4. Please try again in 1.898s.', param: null }],
    ['responses-error-flat.reference.sse', { kind: 'server', code: 'server_error', message: 'The server had an error.', param: null }],
    ['responses-error-nested.reference.sse', { kind: 'invalid_request', code: 'context_length_exceeded', message: 'Your input exceeds the context window of this model.', param: 'input' }],
  ])('ends badly by %s', (name, error) => {
    expect(relay(name)).toEqual({ text: '', usage: null, end: 'badly', error });
  });

  it.each([
    ['response.incomplete', 'well'],
    ['response.cancelled', 'badly'],
    ['response.queued', null],
    ['response.output_text.done', null],
    ['response.a_new_one', null],
    ['constructor', null],
    [null, null],
  ])('by %s ends %s', (type, end) => {
    expect(toResponsesEventFacts(type)).toEqual({ end, hasText: false });
  });

  it.each([
    [null, 'server'],
    [[], 'server'],
    [{}, 'server'],
    [{ response: { error: null } }, 'server'],
    [{ error: { type: 'insufficient_quota', message: 'm' } }, 'quota'],
    [{ error: { code: 'insufficient_quota', message: 'm' } }, 'quota'],
    [{ response: { error: { code: 'server_is_overloaded', message: 'm' } } }, 'overloaded'],
    [{ response: { error: { code: 'invalid_image_format', message: 'm' } } }, 'invalid_request'],
    [{ response: { error: { code: 'failed_to_download_image', message: 'm' } } }, 'server'],
    [{ code: 429, message: 'm' }, 'server'],
    [parseExactJson('{"code":12345678901234567890,"message":{}}'), 'server'],
  ])('in %j has an error that can be told', (event, kind) => {
    const error = readResponsesEventError(event);
    expect(error).toEqual({ kind, message: expect.stringMatching(/./), code: error.code, param: null });
    expect(error.code === null || typeof error.code === 'string').toBe(true);
  });

  it.each([[null], [[]], [{ usage: null }], [{ usage: { input_tokens: -1 } }], [{}]])('has no usage in %j', (response) => {
    expect(readResponsesEventUsage(response)).toBeNull();
  });
});
