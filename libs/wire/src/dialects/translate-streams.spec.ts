import OpenAI from 'openai';
import { AnthropicStreamReader, AnthropicStreamWriter, ChatStreamReader, ChatStreamWriter, type ConversationEvent } from '@weir/wire';
import { collectAnswer, loadFixture, readEvents, writeEvents } from './fixtures/harness';

const chatWriter = (wantsUsage = true): ChatStreamWriter => new ChatStreamWriter({ model: 'my-model', createdSeconds: 1_700_000_000, wantsUsage });
const anthropicWriter = (): AnthropicStreamWriter => new AnthropicStreamWriter({ model: 'my-model', requestId: 'req_1' });
const chunk = (delta: object, finish_reason: string | null = null): string => `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
const call = (index: number | undefined, id: string | undefined, name: string | undefined, json: string) => ({ tool_calls: [{ index, id, function: { name, arguments: json } }] });
const errorOf = (events: readonly ConversationEvent[]) => events.flatMap((event) => (event.type === 'error' ? [event.error] : []));

const ANTHROPIC_PARTS = [
  { type: 'reasoning', text: 'Weather and time.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h', redactedData: null },
  { type: 'reasoning', text: '', signature: null, redactedData: 'EmwKAhgBEgy3va3pzix/LafPsn4' },
  { type: 'text', text: "Okay, let's see: é 🦆" },
  { type: 'tool_call', id: 'toolu_01T1x1fJ34qAmk2tNTrN7Up6', name: 'get_weather', argumentsJson: '{"location": "San Francisco"}' },
  { type: 'tool_call', id: 'toolu_02', name: 'get_time', argumentsJson: '{}' },
];
const CHAT_PARTS = [
  { type: 'text', text: 'Let me look: é 🦆' },
  { type: 'tool_call', id: 'call_DdmO9pD3xa9XTPNJ32zg2hcA', name: 'get_weather', argumentsJson: '{"location":"Paris"}' },
  { type: 'tool_call', id: 'call_time', name: 'get_time', argumentsJson: '{}' },
];

describe('a stream of Anthropic\'s', () => {
  const bytes = loadFixture('anthropic-tools.reference.sse');

  it.each([1, 7, 100_000])('is understood in pieces of %i bytes, with LF and CRLF', (pieceBytes) => {
    for (const stream of [bytes.toString(), bytes.toString().replaceAll('\n', '\r\n')]) {
      const answer = collectAnswer(readEvents(new AnthropicStreamReader(), stream, pieceBytes));
      expect(answer.parts).toEqual(ANTHROPIC_PARTS);
      expect(answer.stopReason).toBe('tool_calls');
      // message_delta corrects the input to 480; what it does not say stays: 480 + 30 + 500.
      expect(answer.usage).toMatchObject({ inputTokens: 1010, cachedInputTokens: 500, cacheWriteTokens: 30, outputTokens: 89, reasoningTokens: 20 });
    }
  });

  it('is the same answer after the way through the chat dialect', () => {
    const written = writeEvents(chatWriter(), readEvents(new AnthropicStreamReader(), bytes));
    const answer = collectAnswer(readEvents(new ChatStreamReader(), written));
    expect(answer).toMatchObject({ id: 'msg_014p7gG3wDgGV9EUtLvnow3U', model: 'my-model', stopReason: 'tool_calls' });
    expect(answer.parts).toEqual(ANTHROPIC_PARTS);
    expect(answer.usage).toMatchObject({ inputTokens: 1010, cachedInputTokens: 500, cacheWriteTokens: 30, outputTokens: 89, reasoningTokens: 20 });
  });

  it('is written as OpenAI writes it: role first, calls counted by themselves, usage null until its chunk, [DONE] last', () => {
    const written = writeEvents(chatWriter(), readEvents(new AnthropicStreamReader(), bytes));
    const data = written.split('\n\n').filter((event) => event.startsWith('data: {')).map((event) => JSON.parse(event.slice(6)));
    expect(written.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(written).not.toMatch(/event:|id:|retry:/);
    expect(written).toContain(': keep-alive\n\n');
    expect(data[0].choices[0]).toEqual({ index: 0, delta: { role: 'assistant', content: '', refusal: null }, logprobs: null, finish_reason: null });
    expect(data.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []).map(({ index }) => index)).toEqual([0, 0, 0, 1, 1]);
    expect(data.slice(0, -1).every(({ usage, choices }) => usage === null && choices.length === 1)).toBe(true);
    expect(data.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 1010, completion_tokens: 89, total_tokens: 1099 } });
  });

  it('says nothing of usage to a caller that did not ask', () => {
    expect(writeEvents(chatWriter(false), readEvents(new AnthropicStreamReader(), bytes))).not.toContain('usage');
  });

  it('is parsed by OpenAI\'s own client', async () => {
    const written = writeEvents(chatWriter(), readEvents(new AnthropicStreamReader(), bytes));
    const client = new OpenAI({ apiKey: 'k', fetch: async () => new Response(written, { headers: { 'content-type': 'text/event-stream' } }) });
    const answer = await client.chat.completions.stream({ model: 'm', messages: [{ role: 'user', content: 'x' }], stream_options: { include_usage: true } }).finalChatCompletion();
    const [{ message, finish_reason }] = answer.choices;
    expect(finish_reason).toBe('tool_calls');
    expect(message.content).toBe("Okay, let's see: é 🦆");
    expect(message.tool_calls?.map((made) => (made.type === 'function' ? made.function.arguments : null))).toEqual(['{"location": "San Francisco"}', '{}']);
    expect(answer.usage?.prompt_tokens_details?.cached_tokens).toBe(500);
  });

  it('tells a refusal and its reason', () => {
    const written = writeEvents(chatWriter(), readEvents(new AnthropicStreamReader(), loadFixture('anthropic-refusal.reference.sse')));
    expect(collectAnswer(readEvents(new ChatStreamReader(), written))).toMatchObject({
      parts: [{ type: 'text', text: 'Well' }, { type: 'refusal', text: 'This could enable cyber harm.' }],
      stopReason: 'refusal',
    });
    expect(written).toContain('"finish_reason":"content_filter"');
  });

  it('that breaks off with an error ends with an error and no [DONE]', () => {
    const written = writeEvents(chatWriter(), readEvents(new AnthropicStreamReader(), loadFixture('anthropic-error.reference.sse')));
    expect(written.endsWith('data: {"error":{"message":"Overloaded","type":"server_error","param":null,"code":null}}\n\n')).toBe(true);
    expect(written).not.toContain('[DONE]');
  });

  it('drops blocks and deltas it does not know, and counts the parts without them', () => {
    const stream = bytes.toString().replace('{"type":"redacted_thinking","data":"EmwKAhgBEgy3va3pzix/LafPsn4"}', '{"type":"server_tool_use","id":"s","name":"web_search","input":{}}').replace('"type":"signature_delta"', '"type":"new_delta"');
    const answer = collectAnswer(readEvents(new AnthropicStreamReader(), stream));
    expect(answer.parts).toEqual([{ ...ANTHROPIC_PARTS[0], signature: null }, ...ANTHROPIC_PARTS.slice(2)]);
  });
});

describe('a stream in the chat dialect', () => {
  const bytes = loadFixture('chat-tools.reference.sse');

  it.each([1, 7, 100_000])('is understood in pieces of %i bytes, with LF and CRLF', (pieceBytes) => {
    for (const stream of [bytes.toString(), bytes.toString().replaceAll('\n', '\r\n')]) {
      const answer = collectAnswer(readEvents(new ChatStreamReader(), stream, pieceBytes));
      expect(answer).toMatchObject({ id: 'chatcmpl-123', model: 'gpt-5.4', stopReason: 'tool_calls', parts: CHAT_PARTS });
      expect(answer.usage).toMatchObject({ inputTokens: 1919, cachedInputTokens: 1024, cacheWriteTokens: 200, outputTokens: 110, reasoningTokens: 64 });
    }
  });

  it('is the same answer after the way through Anthropic\'s dialect', () => {
    const written = writeEvents(anthropicWriter(), readEvents(new ChatStreamReader(), bytes));
    const answer = collectAnswer(readEvents(new AnthropicStreamReader(), written));
    expect(answer).toMatchObject({ id: 'chatcmpl-123', model: 'my-model', stopReason: 'tool_calls', parts: CHAT_PARTS });
    expect(answer.usage).toMatchObject({ inputTokens: 1919, cachedInputTokens: 1024, cacheWriteTokens: 200, outputTokens: 110, reasoningTokens: 64 });
  });

  it('is written as Anthropic writes it: an event line each, one block after the other, reason and usage together', () => {
    const written = writeEvents(anthropicWriter(), readEvents(new ChatStreamReader(), bytes));
    const events = written.trimEnd().split('\n\n').map((event) => {
      const [, type, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? [];
      expect(JSON.parse(data).type).toBe(type);
      return `${type}${JSON.parse(data).index ?? ''}`;
    });
    expect(events).toEqual([
      'message_start', 'content_block_start0', 'content_block_delta0', 'content_block_delta0', 'content_block_stop0',
      'content_block_start1', 'content_block_delta1', 'content_block_delta1', 'content_block_stop1',
      'content_block_start2', 'content_block_delta2', 'content_block_stop2', 'message_delta', 'message_stop',
    ]);
    expect(written).toContain('"usage":{"input_tokens":695,"cache_creation_input_tokens":200,"cache_read_input_tokens":1024,"output_tokens":110');
  });

  it('may bring calls piece by piece in turns', () => {
    const stream = chunk(call(0, 'a', 'f', '{"x"')) + chunk(call(1, 'b', 'g', '{"y"')) + chunk(call(0, undefined, undefined, ':1}')) + chunk(call(1, undefined, undefined, ':2}')) + chunk({}, 'tool_calls') + 'data: [DONE]\n\n';
    const events = readEvents(new ChatStreamReader(), stream);
    const parts = [
      { type: 'tool_call', id: 'a', name: 'f', argumentsJson: '{"x":1}' },
      { type: 'tool_call', id: 'b', name: 'g', argumentsJson: '{"y":2}' },
    ];
    expect(collectAnswer(events).parts).toEqual(parts);
    const written = writeEvents(anthropicWriter(), events);
    expect(collectAnswer(readEvents(new AnthropicStreamReader(), written)).parts).toEqual(parts);
    expect(written.indexOf('content_block_stop')).toBeLessThan(written.indexOf('"name":"g"'));
  });

  it('hands a call on as soon as the one before it is complete', () => {
    const [reader, writer] = [new ChatStreamReader(), anthropicWriter()];
    const push = (delta: object) => reader.push({ type: null, data: chunk(delta).slice('data: '.length) }).map((event) => writer.write(event)).join('');
    push(call(0, 'a', 'f', '{"x":{}'));
    push(call(0, undefined, undefined, '}'));
    expect(push(call(1, 'b', 'g', '{"y"'))).toMatch(/content_block_stop[^]*"name":"g"[^]*partial_json/);
  });

  it('may lack indexes and ids of calls', () => {
    const whole = chunk(call(undefined, 'a', 'f', '{}')) + chunk(call(undefined, 'b', 'f', '{"y":2}')) + chunk({}, 'stop') + 'data: [DONE]\n\n';
    expect(collectAnswer(readEvents(new ChatStreamReader(), whole)).parts).toMatchObject([{ id: 'a', argumentsJson: '{}' }, { id: 'b', argumentsJson: '{"y":2}' }]);
    const nameless = chunk(call(0, undefined, 'f', '{}')) + chunk(call(1, '', 'f', '{}')) + chunk({}, 'stop') + 'data: [DONE]\n\n';
    const { parts, stopReason } = collectAnswer(readEvents(new ChatStreamReader(), nameless));
    expect(new Set(parts.map((part) => (part.type === 'tool_call' ? part.id : ''))).size).toBe(2);
    expect(stopReason).toBe('tool_calls');
  });

  it('may bring thinking, refusals and text one after the other', () => {
    const stream = chunk({ reasoning_content: 'Hm' }) + chunk({ reasoning: '.' }) + chunk({ content: 'Hi' }) + chunk({ refusal: 'No' }) + chunk({}, 'stop') + 'data: [DONE]\n\n';
    expect(collectAnswer(readEvents(new ChatStreamReader(), stream))).toMatchObject({
      parts: [{ type: 'reasoning', text: 'Hm.' }, { type: 'text', text: 'Hi' }, { type: 'refusal', text: 'No' }],
      stopReason: 'refusal',
    });
  });

  it('that breaks off with an error ends with Anthropic\'s error event', () => {
    const written = writeEvents(anthropicWriter(), readEvents(new ChatStreamReader(), loadFixture('chat-error.reference.sse')));
    expect(written.endsWith('event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"The server is currently overloaded with other requests."},"request_id":"req_1"}\n\n')).toBe(true);
    expect(written).not.toContain('message_stop');
  });
});

describe('a stream that is broken', () => {
  const chat = loadFixture('chat-tools.reference.sse').toString();
  const anthropic = loadFixture('anthropic-tools.reference.sse').toString();

  it('never ends well, wherever it is cut before its last event', () => {
    for (const [create, stream] of [[() => new ChatStreamReader(), chat], [() => new AnthropicStreamReader(), anthropic]] as const) {
      const events = stream.trimEnd().split('\n\n');
      for (let count = 0; count < events.length; count += 1) {
        const said = readEvents(create(), events.slice(0, count).map((event) => `${event}\n\n`).join(''));
        expect(said.at(-1)).toEqual({ type: 'error', error: expect.objectContaining({ kind: 'server' }) });
        expect(said.some(({ type }) => type === 'end')).toBe(false);
      }
    }
  });

  it('by a message that stops without a reason never ends well', () => {
    const events = readEvents(new AnthropicStreamReader(), anthropic.replace(/event: message_delta\n.*\n\n/, ''));
    expect(errorOf(events)).toHaveLength(1);
    expect(events.some(({ type }) => type === 'end')).toBe(false);
  });

  it.each(['data: {\n\n', 'data: 5\n\n', 'data: null\n\n', 'data: <html>\n\n', 'data: {"choices":5}\n\n', 'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\n\n', 'event: content_block_delta\ndata: {"type":"content_block_delta","index":-1,"delta":{}}\n\n'])('by %j ends with an error, and nothing after it counts', (event) => {
    for (const [reader, rest] of [[new ChatStreamReader(), chat], [new AnthropicStreamReader(), anthropic]] as const) {
      const said = readEvents(reader, event + event + (event.includes('content_block') === reader instanceof AnthropicStreamReader ? rest : ''));
      expect(errorOf(said)).toHaveLength(1);
      expect(said.at(-1)?.type).toBe('error');
    }
  });

  it('by an error in any shape is told as an error', () => {
    const kindOf = (stream: string) => errorOf(readEvents(new ChatStreamReader(), stream))[0];
    expect(kindOf('data: {"error":{"message":"m","code":429}}\n\n')).toMatchObject({ kind: 'rate_limit', message: 'm' });
    expect(kindOf('data: {"error":"boom"}\n\n')).toMatchObject({ kind: 'server' });
    expect(kindOf('error: {"message":"m","code":400,"type":"invalid_request_error"}\n\n')).toMatchObject({ kind: 'invalid_request', message: 'm' });
    expect(kindOf('event: error\ndata: {"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}\n\n')).toMatchObject({ kind: 'quota' });
  });
});
