import OpenAI from 'openai';
import { type Response as ResponseBody, type ResponseStreamEvent } from 'openai/resources/responses/responses';
import { AnthropicStreamReader, ChatStreamReader, type ConversationEvent, readResponsesRequest, ResponsesStreamWriter, toResponsesEchoJson, writeResponsesAnswer } from '@weir/wire';
import { collectAnswer, loadFixture, parseFixture, readEvents, seededRandom, writeEvents } from '../fixtures/harness';
import { collectResponse, parseResponsesStream, toKnownAnswer } from '../fixtures/responses-harness';

const options = { model: 'my-model', createdSeconds: 1_741_476_777, requestId: 'req_1', echoJson: toResponsesEchoJson(parseFixture('responses-request.reference.json')) };
const write = (events: readonly ConversationEvent[]): string => writeEvents(new ResponsesStreamWriter(options), events);
const anthropic = (name: string, pieceBytes?: number) => readEvents(new AnthropicStreamReader(), loadFixture(name), pieceBytes);
const chat = (stream: Buffer | string) => readEvents(new ChatStreamReader(), stream);
const chunk = (delta: object, finish_reason: string | null = null): string => `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
const call = (index: number, id: string | undefined, name: string | undefined, json: string) => ({ tool_calls: [{ index, id, function: { name, arguments: json } }] });
const start: ConversationEvent = { type: 'start', id: 'msg_1', model: 'm' };
const text = (index: number, words: string): ConversationEvent[] => [
  { type: 'part_start', index, part: { type: 'text' } },
  { type: 'part_delta', index, delta: { type: 'text', text: words } },
  { type: 'part_stop', index },
];
const stop = (reason: Extract<ConversationEvent, { type: 'stop' }>['reason']): ConversationEvent[] => [{ type: 'stop', reason, stopSequence: null }, { type: 'end' }];
const typesOf = (stream: string) => parseResponsesStream(stream).map(({ type }) => type.replace('response.', ''));

const ANTHROPIC_PARTS = [
  { type: 'reasoning', text: 'Weather and time.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h', redactedData: null },
  { type: 'reasoning', text: '', signature: null, redactedData: 'EmwKAhgBEgy3va3pzix/LafPsn4' },
  { type: 'text', text: "Okay, let's see: é 🦆" },
  { type: 'tool_call', id: 'toolu_01T1x1fJ34qAmk2tNTrN7Up6', name: 'get_weather', argumentsJson: '{"location": "San Francisco"}' },
  { type: 'tool_call', id: 'toolu_02', name: 'get_time', argumentsJson: '{}' },
];

describe('a stream for a caller of Responses', () => {
  const written = write(anthropic('anthropic-tools.reference.sse'));

  it('is the same answer, thinking, signatures, usage and all', () => {
    const answer = toKnownAnswer(collectResponse(parseResponsesStream(written)));
    expect(answer).toMatchObject({ model: 'my-model', parts: ANTHROPIC_PARTS, stopReason: 'tool_calls' });
    expect(answer.usage).toMatchObject({ inputTokens: 1010, cachedInputTokens: 500, cacheWriteTokens: 30, outputTokens: 89, reasoningTokens: 20 });
  });

  it('is the same whether the upstream sends it in pieces of 1 byte or any, with LF or CRLF', () => {
    const bytes = loadFixture('anthropic-tools.reference.sse').toString();
    const random = seededRandom(7);
    for (const stream of [bytes, bytes.replaceAll('\n', '\r\n')]) {
      for (const pieceBytes of [1, 1 + Math.floor(random() * 50), 100_000]) expect(write(readEvents(new AnthropicStreamReader(), stream, pieceBytes))).toBe(written);
    }
  });

  it('can itself be cut anywhere, with LF or CRLF', () => {
    const whole = collectResponse(parseResponsesStream(written));
    const random = seededRandom(8);
    for (const stream of [written, written.replaceAll('\n', '\r\n')]) {
      for (const pieceBytes of [1, 1 + Math.floor(random() * 50)]) expect(collectResponse(parseResponsesStream(stream, pieceBytes))).toEqual(whole);
    }
  });

  it('is written as OpenAI writes it, event by event and member by member', () => {
    expect(typesOf(written)).toEqual([
      'created', 'in_progress',
      'output_item.added', 'reasoning_summary_part.added', 'reasoning_summary_text.delta', 'reasoning_summary_text.delta', 'reasoning_summary_text.done', 'reasoning_summary_part.done', 'output_item.done',
      'output_item.added', 'output_item.done',
      'output_item.added', 'content_part.added', 'output_text.delta', 'output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done',
      'output_item.added', 'function_call_arguments.delta', 'function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done',
      'output_item.added', 'function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done',
      'completed',
    ]);
    const own = new Map(parseResponsesStream(loadFixture('responses-tools.reference.sse')).map((event) => [event.type, event]));
    for (const event of parseResponsesStream(written)) {
      const reference = own.get(event.type);
      expect(Object.keys(event).sort()).toEqual(Object.keys(reference ?? {}).filter((name) => name !== 'obfuscation').sort());
    }
    expect(written).not.toMatch(/\[DONE\]|^id:|^retry:/m);
  });

  it('holds an item back no longer than until the next event', () => {
    const writer = new ResponsesStreamWriter(options);
    writeEvents(writer, [start, ...text(0, 'a')]);
    expect(writer.write({ type: 'part_start', index: 1, part: { type: 'tool_call', id: 'c', name: 'f' } })).toMatch(/^event: response.output_item.done\n[^]*event: response.output_item.added\n/);
  });

  it('says that an item was cut off', () => {
    const said = collectResponse(parseResponsesStream(write([start, ...text(0, 'a'), ...text(1, 'b'), ...stop('output_cap')])));
    expect(said).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output: [{ status: 'completed' }, { status: 'incomplete' }] });
  });

  it("tells a model's refusal as a part, and a filter's as an incomplete answer", () => {
    const refused = write(anthropic('anthropic-refusal.reference.sse'));
    expect(typesOf(refused)).toEqual(expect.arrayContaining(['refusal.delta', 'refusal.done']));
    expect(collectResponse(parseResponsesStream(refused))).toMatchObject({ status: 'completed', output: [{ content: [{ text: 'Well' }] }, { content: [{ type: 'refusal', refusal: 'This could enable cyber harm.' }] }] });
    const filtered = write(chat(chunk({ content: 'Well' }) + chunk({}, 'content_filter') + 'data: [DONE]\n\n'));
    expect(collectResponse(parseResponsesStream(filtered))).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'content_filter' }, output: [{ status: 'incomplete' }] });
  });

  it('writes calls whose pieces come in turns as they come', () => {
    const stream = chunk(call(0, 'a', 'f', '{"x"')) + chunk(call(1, 'b', 'g', '{"y"')) + chunk(call(0, undefined, undefined, ':1}')) + chunk(call(1, undefined, undefined, ':2}')) + chunk({}, 'tool_calls') + 'data: [DONE]\n\n';
    expect(toKnownAnswer(collectResponse(parseResponsesStream(write(chat(stream))))).parts).toEqual([
      { type: 'tool_call', id: 'a', name: 'f', argumentsJson: '{"x":1}' },
      { type: 'tool_call', id: 'b', name: 'g', argumentsJson: '{"y":2}' },
    ]);
  });

  it('is the same answer as the whole one', () => {
    for (const [stream, whole] of [
      [anthropic('anthropic-tools.reference.sse'), collectAnswer(anthropic('anthropic-tools.reference.sse'))],
      [chat(loadFixture('chat-tools.reference.sse')), collectAnswer(chat(loadFixture('chat-tools.reference.sse')))],
      [anthropic('anthropic-refusal.reference.sse'), collectAnswer(anthropic('anthropic-refusal.reference.sse'))],
    ] as const) {
      expect(collectResponse(parseResponsesStream(write(stream)))).toEqual(JSON.parse(writeResponsesAnswer(whole, options)));
    }
  });

  it('bears a sign of life anywhere', () => {
    const [first, ...rest] = anthropic('anthropic-tools.reference.sse').filter(({ type }) => type !== 'ping');
    const withPings = write([first, { type: 'ping' }, ...rest.flatMap((event): ConversationEvent[] => [event, { type: 'ping' }])]);
    expect(withPings.replaceAll(': keep-alive\n\n', '')).toBe(written.replaceAll(': keep-alive\n\n', ''));
  });

  it('begins the words of thinking once, also where its first piece is empty', () => {
    const events: ConversationEvent[] = ['', 'Hm', '', '.'].map((words) => ({ type: 'part_delta', index: 0, delta: { type: 'text', text: words } }));
    const thinking = write([start, { type: 'part_start', index: 0, part: { type: 'reasoning', redactedData: null } }, ...events, { type: 'part_stop', index: 0 }, ...stop('end')]);
    expect(toKnownAnswer(collectResponse(parseResponsesStream(thinking))).parts).toEqual([{ type: 'reasoning', text: 'Hm.', signature: null, redactedData: null }]);
  });

  it('survives an answer of nothing', () => {
    expect(collectResponse(parseResponsesStream(write([start, ...stop('end')])))).toMatchObject({ status: 'completed', output: [], usage: { total_tokens: 0 } });
  });
});

describe('an error in a stream for a caller of Responses', () => {
  it('is response.failed, with what was whole before it, and nothing follows', () => {
    const writer = new ResponsesStreamWriter(options);
    const error: ConversationEvent = { type: 'error', error: { kind: 'overloaded', message: 'Overloaded', code: null, param: null } };
    const written = writeEvents(writer, [start, ...text(0, 'a'), ...text(1, 'b').slice(0, 2), error]);
    const events = parseResponsesStream(written);
    expect(collectResponse(events)).toMatchObject({ status: 'failed', error: { code: 'server_error', message: 'Overloaded', type: 'server_error', param: null }, output: [{ status: 'completed', content: [{ text: 'a' }] }], usage: null });
    expect(events.at(-1)?.type).toBe('response.failed');
    expect(writeEvents(writer, [...text(1, 'b').slice(2), ...stop('end'), error, { type: 'ping' }])).toBe('');
  });

  it.each([
    ['rate_limit', null, 'rate_limit_exceeded'],
    ['quota', null, 'insufficient_quota'],
    ['invalid_request', null, 'invalid_prompt'],
    ['timeout', null, 'server_error'],
    ['server', 'upstream_error', 'upstream_error'],
  ] as const)('of kind %s and code %s has the code %s', (kind, code, expected) => {
    const events = parseResponsesStream(write([start, { type: 'error', error: { kind, message: 'm', code, param: null } }]));
    expect(collectResponse(events).error?.code).toBe(expected);
  });

  it('leaves out an item that is not whole, also where a later one is', () => {
    const open = text(0, 'a').slice(0, 2);
    const events = parseResponsesStream(write([start, ...open, ...text(1, 'b'), { type: 'error', error: { kind: 'server', message: 'm', code: null, param: null } }]));
    expect(collectResponse(events).output).toMatchObject([{ content: [{ text: 'b' }] }]);
  });

  it('before anything began is the error event', () => {
    expect(write([{ type: 'error', error: { kind: 'server', message: 'm', code: null, param: null } }])).toMatch(/^event: error\ndata: {"type":"error","sequence_number":0,.*}\n\n$/);
  });

  it('from an upstream that breaks off never ends well, wherever it is cut', () => {
    const events = loadFixture('anthropic-tools.reference.sse').toString().trimEnd().split('\n\n');
    for (let count = 1; count < events.length; count += 1) {
      const said = parseResponsesStream(write(readEvents(new AnthropicStreamReader(), events.slice(0, count).join('\n\n') + '\n\n')));
      expect(collectResponse(said).status).toBe('failed');
    }
  });
});

describe("OpenAI's own client", () => {
  const clientOf = (stream: string): OpenAI => new OpenAI({ apiKey: 'k', maxRetries: 0, fetch: async () => new Response(stream, { headers: { 'content-type': 'text/event-stream' } }) });
  const { tools } = parseFixture('responses-request.reference.json') as { tools: OpenAI.Responses.FunctionTool[] };

  it.each([['anthropic-tools.reference.sse', new AnthropicStreamReader()], ['chat-tools.reference.sse', new ChatStreamReader()]] as const)('collects a translated %s', async (name, reader) => {
    const events = readEvents(reader, loadFixture(name));
    const written = write(events);
    const stream = clientOf(written).responses.stream({ model: 'm', input: 'x', tools });
    let shown = '';
    const seen: ResponseStreamEvent[] = [];
    stream.on('response.output_text.delta', ({ delta, snapshot }) => {
      shown += delta;
      expect(snapshot).toBe(shown);
    });
    for await (const event of stream) seen.push(event);
    const final = await stream.finalResponse();
    expect(seen).toHaveLength(parseResponsesStream(written).length);
    expect(final.output_text).toBe(shown);
    const { parsed_arguments } = final.output.find((item) => item.type === 'function_call') ?? {};
    expect(parsed_arguments).toEqual({ location: expect.any(String) });
    const { parts, usage } = collectAnswer(events);
    expect(toKnownAnswer(final as ResponseBody)).toMatchObject({ parts, stopReason: 'tool_calls', usage });
  });

  it('collects calls that come in turns', async () => {
    const stream = chunk({ content: 'a' }) + chunk(call(0, 'a', 'f', '{"x"')) + chunk(call(1, 'b', 'g', '{"y"')) + chunk(call(1, undefined, undefined, ':2}')) + chunk(call(0, undefined, undefined, ':1}')) + chunk({}, 'tool_calls') + 'data: [DONE]\n\n';
    const final = await clientOf(write(chat(stream))).responses.stream({ model: 'm', input: 'x' }).finalResponse();
    expect(final.output.map((item) => (item.type === 'function_call' ? item.arguments : item.type))).toEqual(['message', '{"x":1}', '{"y":2}']);
  });

  it('collects calls to which a server gave one id', async () => {
    const made = ([0, 1] as const).flatMap((index): ConversationEvent[] => [
      { type: 'part_start', index, part: { type: 'tool_call', id: 'call_0', name: 'f' } },
      { type: 'part_delta', index, delta: { type: 'arguments', json: '{}' } },
      { type: 'part_stop', index },
    ]);
    const final = await clientOf(write([start, ...made, ...stop('tool_calls')])).responses.stream({ model: 'm', input: 'x' }).finalResponse();
    expect(final.output).toHaveLength(2);
  });

  it('sees an answer that was cut off', async () => {
    const final = await clientOf(write([start, ...text(0, 'a'), ...stop('output_cap')])).responses.stream({ model: 'm', input: 'x' }).finalResponse();
    expect(final).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output_text: 'a' });
  });

  it('sees a refusal', async () => {
    const final = await clientOf(write(anthropic('anthropic-refusal.reference.sse'))).responses.stream({ model: 'm', input: 'x' }).finalResponse();
    expect(final.output[1]).toMatchObject({ content: [{ type: 'refusal', refusal: 'This could enable cyber harm.' }] });
  });

  it('sees a failure in the stream', async () => {
    const written = write(anthropic('anthropic-error.reference.sse'));
    const final = await clientOf(written).responses.stream({ model: 'm', input: 'x' }).finalResponse();
    expect(final).toMatchObject({ status: 'failed', error: { message: 'Overloaded' } });
  });

  it('throws an error that comes before anything else', async () => {
    const written = write([{ type: 'error', error: { kind: 'server', message: 'It broke.', code: 'upstream_error', param: null } }]);
    await expect(clientOf(written).responses.stream({ model: 'm', input: 'x' }).finalResponse()).rejects.toThrow('It broke.');
  });

  it('sends back what it got, and it is read as the answer that it was', async () => {
    const written = write(anthropic('anthropic-tools.reference.sse'));
    const { output } = await clientOf(written).responses.stream({ model: 'm', input: 'x' }).finalResponse();
    const { turns } = readResponsesRequest({ model: 'm', input: [{ role: 'user', content: 'x' }, ...output, { type: 'function_call_output', call_id: 'toolu_02', output: 'y' }] });
    expect(turns[1].parts).toEqual(ANTHROPIC_PARTS);
  });
});
