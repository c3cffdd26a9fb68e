import { WeirError } from '@weir/kernel';
import { readAnthropicAnswer, readAnthropicRequest, readChatAnswer, readChatRequest, readChatUsage, toChatError, toConversationError, writeAnthropicAnswer, writeAnthropicError, writeAnthropicRequest, writeChatAnswer } from '@weir/wire';
import { parseFixture } from './fixtures/harness';

const chatOptions = { model: 'my-model', createdSeconds: 1_700_000_000 };

describe('an answer of Anthropic for a chat caller', () => {
  const text = writeChatAnswer(readAnthropicAnswer(parseFixture('anthropic-answer.reference.json')), chatOptions);
  const answer = JSON.parse(text);

  it('says all of it in OpenAI\'s words', () => {
    expect(answer).toEqual({
      id: 'msg_01XFDUDYJgAACzvnptvVoYEL',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'my-model',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: 'Hello! How are you?',
            refusal: null,
            reasoning: 'The user greets.',
            reasoning_details: [{ type: 'reasoning.text', text: 'The user greets.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h', index: 0 }],
            tool_calls: [
              { id: 'toolu_01D7FLrfh4GYq7yT1ULFeyMV', type: 'function', function: { name: 'get_stock_price', arguments: '{"ticker":"^GSPC","account":12345678901234567890}' } },
              { id: 'toolu_01A09q90qw90lq917835lq9', type: 'function', function: { name: 'get_time', arguments: '{}' } },
            ],
          },
          logprobs: null,
          finish_reason: 'tool_calls',
        },
      ],
      // Anthropic's input excludes the cache: 21 + 188 + 1000.
      usage: {
        prompt_tokens: 1209,
        completion_tokens: 393,
        total_tokens: 1602,
        prompt_tokens_details: { cached_tokens: 1000, cache_write_tokens: 188, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 120, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
      },
    });
  });

  it('comes back whole when the caller sends the message again: thinking, signature and all', () => {
    const { message } = answer.choices[0];
    const request = readChatRequest({ model: 'm', messages: [{ role: 'user', content: 'Hi' }, message, { role: 'user', content: 'x' }] });
    const sent = JSON.parse(writeAnthropicRequest(request, { model: 'claude-opus-4-8', defaultOutputCap: 1 }));
    expect(sent.messages[1].content[0]).toEqual({ type: 'thinking', thinking: 'The user greets.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' });
  });

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['pause_turn', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['tool_use', 'tool_calls'],
    ['refusal', 'content_filter'],
    ['a_new_one', 'stop'],
  ])('ends with %s as %s', (stop_reason, expected) => {
    const said = readAnthropicAnswer({ id: 'm', content: [], stop_reason, usage: { input_tokens: 1, output_tokens: 1 } });
    expect(JSON.parse(writeChatAnswer(said, chatOptions)).choices[0].finish_reason).toBe(expected);
  });

  it('tells why it was refused', () => {
    const said = readAnthropicAnswer({ id: 'm', content: [], stop_reason: 'refusal', stop_details: { type: 'refusal', category: 'bio', explanation: 'No.' }, usage: null });
    expect(JSON.parse(writeChatAnswer(said, chatOptions)).choices[0]).toMatchObject({ finish_reason: 'content_filter', message: { content: null, refusal: 'No.' } });
  });
});

describe('an answer in the chat dialect for an Anthropic caller', () => {
  it('says all of it in Anthropic\'s words', () => {
    expect(JSON.parse(writeAnthropicAnswer(readChatAnswer(parseFixture('chat-answer.reference.json')), { model: 'my-model' }))).toEqual({
      id: 'chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT',
      type: 'message',
      role: 'assistant',
      model: 'my-model',
      content: [
        { type: 'text', text: 'Hello! How can I assist you today?', citations: null },
        { type: 'tool_use', id: 'call_abc123', name: 'get_current_weather', input: { location: 'Boston, MA' } },
        { type: 'tool_use', id: 'call_def456', name: 'get_time', input: {} },
      ],
      // OpenAI said "stop", as it does for a forced tool: the caller waits for tool_use.
      stop_reason: 'tool_use',
      stop_sequence: null,
      stop_details: null,
      usage: { input_tokens: 695, cache_creation_input_tokens: 200, cache_read_input_tokens: 1024, output_tokens: 410, output_tokens_details: { thinking_tokens: 300 } },
    });
  });

  it('tells a refusal as Anthropic does', () => {
    expect(JSON.parse(writeAnthropicAnswer(readChatAnswer(parseFixture('chat-refusal.reference.json')), { model: 'm' }))).toMatchObject({
      content: [],
      stop_reason: 'refusal',
      stop_details: { type: 'refusal', category: null, explanation: "I'm sorry, I cannot assist with that request." },
    });
  });

  it('is not sent to Anthropic with thinking of a model that does not sign', () => {
    const body = { id: 'x', choices: [{ message: { content: 'Hi', reasoning: 'Hm.' }, finish_reason: 'stop' }] };
    const { role, content } = JSON.parse(writeAnthropicAnswer(readChatAnswer(body), { model: 'm' }));
    const request = readAnthropicRequest({ model: 'm', max_tokens: 5, messages: [{ role: 'user', content: 'x' }, { role, content }, { role: 'user', content: 'y' }] });
    expect(writeAnthropicRequest(request, { model: 'claude-opus-4-8', defaultOutputCap: 1 })).not.toContain('thinking');
  });

  it('bears what servers make of it: no id, arguments as an object or as no JSON, thinking under another name', () => {
    const tool_calls = [{ function: { name: 'a', arguments: { x: 1 } } }, { id: '', function: { name: 'b', arguments: '{"x":' } }];
    const body = { id: 'x', choices: [{ message: { content: '', reasoning_content: 'Hm.', tool_calls }, finish_reason: 'tool_calls' }] };
    const { content } = JSON.parse(writeAnthropicAnswer(readChatAnswer(body), { model: 'm' }));
    expect(content).toEqual([
      { type: 'thinking', thinking: 'Hm.', signature: '' },
      { type: 'tool_use', id: expect.stringMatching(/^call_/), name: 'a', input: { x: 1 } },
      { type: 'tool_use', id: expect.stringMatching(/^call_/), name: 'b', input: { INVALID_JSON: '{"x":' } },
    ]);
    expect(content[1].id).not.toBe(content[2].id);
  });

  it.each([[null], [[]], [{}], [{ choices: [] }], [{ choices: [{}] }], [{ choices: [{ message: { content: 5 } }] }], ['<html>']])('calls %j the upstream\'s fault', (body) => {
    expect(() => readChatAnswer(body)).toThrow(expect.objectContaining({ code: 'upstream_error' }));
    expect(() => readAnthropicAnswer(body)).toThrow(expect.objectContaining({ code: 'upstream_error' }));
  });

  it.each([
    { prompt_tokens: -1 },
    { prompt_tokens: 1.5 },
    { prompt_tokens: '3' },
    { prompt_tokens: 1, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 2 } },
    { prompt_tokens: 1, completion_tokens: 1e12 },
  ])('does not believe a usage of %j', (usage) => {
    expect(readChatUsage(usage)).toBeNull();
  });
});

describe('an error', () => {
  it('is said in each dialect', () => {
    const error = toConversationError(new WeirError('rate_limit_exceeded', { message: 'Slow down.', param: 'model' }));
    expect(toChatError(error)).toEqual({ message: 'Slow down.', type: 'requests', param: 'model', code: 'rate_limit_exceeded' });
    expect(JSON.parse(writeAnthropicError(error, 'req_1'))).toEqual({ type: 'error', error: { type: 'rate_limit_error', message: 'Slow down.' }, request_id: 'req_1' });
  });

  it.each([
    ['invalid_request', 'invalid_request_error'],
    ['invalid_api_key', 'authentication_error'],
    ['model_not_allowed', 'permission_error'],
    ['model_not_found', 'not_found_error'],
    ['body_too_large', 'request_too_large'],
    ['budget_exceeded', 'rate_limit_error'],
    ['no_upstream_available', 'overloaded_error'],
    ['upstream_timeout', 'timeout_error'],
    ['upstream_error', 'api_error'],
  ] as const)('of code %s is %s for Anthropic\'s clients', (code, type) => {
    expect(JSON.parse(writeAnthropicError(toConversationError(new WeirError(code)), null)).error.type).toBe(type);
  });
});
