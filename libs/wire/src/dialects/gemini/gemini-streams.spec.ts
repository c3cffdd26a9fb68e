import {
  AnthropicStreamReader, AnthropicStreamWriter, ChatStreamReader, ChatStreamWriter, type ConversationEvent, GeminiStreamReader, GeminiStreamWriter, JsonScanner, readAnthropicRequest, readChatRequest,
  readGeminiEventFacts, readGeminiRequest, writeAnthropicAnswer, writeAnthropicRequest, writeChatAnswer, writeGeminiRequest,
} from '@weir/wire';
import { collectAnswer, loadFixture, readEvents, seededRandom, writeEvents } from '../fixtures/harness';

const reader = (isParallelToolUse?: boolean): GeminiStreamReader => new GeminiStreamReader({ fallbackId: 'req_1', isParallelToolUse });
const writer = (wantsThoughts = true): GeminiStreamWriter => new GeminiStreamWriter({ model: 'my-model', wantsThoughts });
const chatWriter = (): ChatStreamWriter => new ChatStreamWriter({ model: 'my-model', createdSeconds: 1, wantsUsage: true });
const anthropicWriter = (): AnthropicStreamWriter => new AnthropicStreamWriter({ model: 'my-model', requestId: null });
const errorOf = (events: readonly ConversationEvent[]) => events.flatMap((event) => (event.type === 'error' ? [event.error] : []));
const pieces = (stream: string) => stream.trimEnd().split('\n\n').map((event) => JSON.parse(event.slice('data: '.length)));
const piece = (parts: object[], more: object = {}): string => `data: ${JSON.stringify({ candidates: [{ content: { parts, role: 'model' }, index: 0, ...more }] })}\n\n`;

const USAGE = { inputTokens: 1909, cachedInputTokens: 1024, outputTokens: 95, reasoningTokens: 64 };
const SIGNATURE = 'CpQCAXLI2nyvT/5fW6s+Wd8bYg==';
const VISIBLE = [
  { type: 'text', text: 'Let me look: é 🦆' },
  { type: 'tool_call', id: 'fc-1', name: 'get_weather', argumentsJson: '{"location":"Paris, \\"FR\\"","station":12345678901234567890}' },
  { type: 'tool_call', id: expect.stringMatching(/^call_[0-9a-f]{32}$/), name: 'get_time', argumentsJson: '{}' },
];

/** The signatures that Google gets back when a caller sends the answer again. */
const replayed = (request: Parameters<typeof writeGeminiRequest>[0]) =>
  JSON.parse(writeGeminiRequest(request, { model: 'gemini-2.5-pro' })).contents[1].parts.map(({ text, functionCall, thoughtSignature }: { text?: string; functionCall?: { name: string }; thoughtSignature?: string }) => [text ?? functionCall?.name, thoughtSignature]);

describe('a stream of Gemini', () => {
  const bytes = loadFixture('gemini-tools.reference.sse');

  it.each([1, 7, 100_000])('is understood in pieces of %i bytes, with LF and CRLF', (pieceBytes) => {
    for (const stream of [bytes.toString(), bytes.toString().replaceAll('\r\n', '\n')]) {
      const answer = collectAnswer(readEvents(reader(), stream, pieceBytes));
      expect(answer).toMatchObject({ id: 'x7oNaZ-8Ksyh1MkP1vO0oAI', model: 'gemini-3.1-pro', stopReason: 'tool_calls', usage: USAGE });
      expect(answer.parts[0]).toEqual({ type: 'reasoning', text: '**Planning**\n\nWeather and time: é 🦆.', signature: null, redactedData: null });
      expect(answer.parts.filter(({ type }) => type !== 'reasoning')).toEqual(VISIBLE);
    }
  });

  it('is understood in pieces of any sizes', () => {
    const expected = readEvents(reader(), bytes);
    const random = seededRandom(5);
    for (let round = 0; round < 50; round += 1) expect(readEvents(reader(), bytes, 1 + Math.floor(random() * 200))).toEqual(expected);
  });

  it('comes back to Google through a chat caller with its signature', () => {
    const answer = collectAnswer(readEvents(new ChatStreamReader(), writeEvents(chatWriter(), readEvents(reader(), bytes))));
    expect(answer).toMatchObject({ stopReason: 'tool_calls', usage: USAGE });
    expect(answer.parts.filter(({ type }) => type !== 'reasoning')).toEqual(VISIBLE);
    const { message } = JSON.parse(writeChatAnswer(answer, { model: 'm', createdSeconds: 1 })).choices[0];
    const request = readChatRequest({ model: 'm', messages: [{ role: 'user', content: 'Hi' }, message, { role: 'user', content: 'x' }] });
    expect(replayed(request)).toEqual([['Let me look: é 🦆', undefined], ['get_weather', SIGNATURE], ['get_time', undefined]]);
  });

  it('comes back to Google through an Anthropic caller with its signature', () => {
    const answer = collectAnswer(readEvents(new AnthropicStreamReader(), writeEvents(anthropicWriter(), readEvents(reader(), bytes))));
    expect(answer).toMatchObject({ stopReason: 'tool_calls', usage: USAGE });
    const { role, content } = JSON.parse(writeAnthropicAnswer(answer, { model: 'm' }));
    const request = readAnthropicRequest({ model: 'm', max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }, { role, content }, { role: 'user', content: 'x' }] });
    expect(replayed(request)).toEqual([['Let me look: é 🦆', undefined], ['get_weather', SIGNATURE], ['get_time', undefined]]);
  });

  it('is the same for a Gemini caller, and comes back the same', () => {
    const written = writeEvents(writer(), readEvents(reader(), bytes));
    const contents = pieces(written).map(({ candidates }) => candidates[0].content);
    const request = readGeminiRequest({ contents: [{ parts: [{ text: 'Hi' }] }, ...contents] }, { model: 'm', isStream: true });
    expect(replayed(request)).toEqual([['Let me look: é 🦆', undefined], ['get_weather', SIGNATURE], ['get_time', undefined]]);
    expect(written).toContain('"station":12345678901234567890');
  });

  it('keeps the signature of an empty part by itself', () => {
    const events = readEvents(reader(), loadFixture('gemini-text.reference.sse'));
    expect(collectAnswer(events)).toMatchObject({ stopReason: 'end', usage: { inputTokens: 9, outputTokens: 34, reasoningTokens: 30 } });
    for (const [write, read] of [[anthropicWriter(), new AnthropicStreamReader()], [chatWriter(), new ChatStreamReader()], [writer(), reader()]] as const) {
      const { parts } = collectAnswer(readEvents(read, writeEvents(write, events)));
      const turn = { role: 'assistant', parts } as const;
      const request = { ...readChatRequest({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] }), turns: [turn] };
      expect(JSON.parse(writeGeminiRequest(request, { model: 'gemini-3.1-pro' })).contents[0].parts).toEqual([{ text: 'One, two' }, { text: '', thoughtSignature: 'EqcCAXLI2nxu4m==' }]);
    }
  });

  it('hands on the first call alone where calls must not be parallel', () => {
    const { parts } = collectAnswer(readEvents(reader(false), bytes));
    expect(parts.filter(({ type }) => type === 'tool_call')).toEqual([VISIBLE[1]]);
  });

  it('that breaks off with an error ends with an error', () => {
    const events = readEvents(reader(), loadFixture('gemini-error.reference.sse'));
    expect(events.at(-1)).toEqual({ type: 'error', error: { kind: 'overloaded', message: 'The model is overloaded. Please try again later.', code: null, param: null } });
    expect(writeEvents(anthropicWriter(), events)).toContain('overloaded_error');
  });

  it('tells a refusal and its reason', () => {
    const written = writeEvents(chatWriter(), readEvents(reader(), loadFixture('gemini-refusal.reference.sse')));
    expect(collectAnswer(readEvents(new ChatStreamReader(), written))).toMatchObject({ parts: [{ text: 'Well' }, { type: 'refusal', text: 'This could do harm.' }], stopReason: 'refusal' });
  });

  it('of a blocked prompt is a refusal, not an error', () => {
    const answer = collectAnswer(readEvents(reader(), loadFixture('gemini-blocked.reference.sse')));
    expect(answer).toMatchObject({ stopReason: 'refusal', parts: [{ type: 'refusal', text: 'The prompt was blocked: PROHIBITED_CONTENT.' }], usage: { inputTokens: 8 } });
  });

  it('never ends well, wherever it is cut before its last event', () => {
    for (const name of ['gemini-tools.reference.sse', 'gemini-refusal.reference.sse', 'gemini-blocked.reference.sse']) {
      const events = loadFixture(name).toString().trimEnd().split('\r\n\r\n');
      for (let count = 0; count < events.length; count += 1) {
        const said = readEvents(reader(), events.slice(0, count).map((event) => `${event}\r\n\r\n`).join(''));
        expect(said.at(-1)).toEqual({ type: 'error', error: expect.objectContaining({ kind: 'server' }) });
        expect(said.some(({ type }) => type === 'end' || type === 'stop')).toBe(false);
      }
    }
  });

  it.each(['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL'])('that ends with %s never ends well', (finishReason) => {
    const events = readEvents(reader(), piece([{ text: 'x' }]) + piece([{ text: '' }], { finishReason }));
    expect(events.at(-1)?.type).toBe('error');
    expect(events.some(({ type }) => type === 'stop')).toBe(false);
  });

  it.each(['data: {\n\n', 'data: 5\n\n', 'data: null\n\n', 'data: [DONE]\n\n', 'data: <html>\n\n', 'data: {"candidates":5}\n\n', piece([{ functionCall: {} }]), piece([{ text: 5 }]), piece([{ functionCall: { name: 'f', args: [] } }])])(
    'by %j ends with an error, and nothing after it counts',
    (event) => {
      const said = readEvents(reader(), event + event + bytes.toString());
      expect(errorOf(said)).toHaveLength(1);
      expect(said.at(-1)?.type).toBe('error');
    },
  );

  it('drops parts and candidates that it does not know', () => {
    const stream = piece([{ executableCode: { code: 'x' } }, { text: 'a' }, { inlineData: { mimeType: 'image/png', data: 'AA' } }]) + piece([{ text: 'other' }], { index: 1 }) + piece([{ text: 'b' }], { finishReason: 'STOP' });
    expect(collectAnswer(readEvents(reader(), stream))).toMatchObject({ id: 'req_1', parts: [{ type: 'text', text: 'ab' }] });
  });
});

describe('a stream for a Gemini caller', () => {
  const anthropic = loadFixture('anthropic-tools.reference.sse');

  it('is written as Google writes it: whole calls, reason and usage together at the end, no [DONE], no sign of life', () => {
    const written = writeEvents(writer(), readEvents(new AnthropicStreamReader(), anthropic));
    expect(written).not.toMatch(/\[DONE\]|^:|event:|keep-alive|ping/m);
    const said = pieces(written);
    expect(said.every(({ candidates: [{ content }] }) => content.role === 'model' && content.parts.length === 1)).toBe(true);
    expect(said.slice(0, -1).every(({ candidates: [{ finishReason }], usageMetadata }) => finishReason === undefined && usageMetadata === undefined)).toBe(true);
    expect(said.at(-1)).toMatchObject({
      candidates: [{ finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 1010, cachedContentTokenCount: 500, candidatesTokenCount: 69, thoughtsTokenCount: 20, totalTokenCount: 1099 },
      modelVersion: 'my-model',
    });
    expect(said.flatMap(({ candidates: [{ content }] }) => content.parts.flatMap(({ functionCall }: { functionCall?: object }) => functionCall ?? []))).toEqual([
      { id: 'toolu_01T1x1fJ34qAmk2tNTrN7Up6', name: 'get_weather', args: { location: 'San Francisco' } },
      { id: 'toolu_02', name: 'get_time', args: {} },
    ]);
  });

  it.each([true, false])("brings Anthropic's thinking back to Anthropic as it came, shown or not (%j)", (wantsThoughts) => {
    const written = writeEvents(writer(wantsThoughts), readEvents(new AnthropicStreamReader(), anthropic));
    expect(written.includes('Weather')).toBe(wantsThoughts);
    const contents = pieces(written).map(({ candidates }) => candidates[0].content);
    const request = readGeminiRequest({ contents: [{ parts: [{ text: 'Hi' }] }, ...contents, { parts: [{ text: 'x' }] }] }, { model: 'm', isStream: true });
    const { messages } = JSON.parse(writeAnthropicRequest(request, { model: 'claude-opus-4-8', defaultOutputCap: 1 }));
    expect(messages[1].content).toEqual([
      { type: 'thinking', thinking: 'Weather and time.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' },
      { type: 'redacted_thinking', data: 'EmwKAhgBEgy3va3pzix/LafPsn4' },
      { type: 'text', text: "Okay, let's see: é 🦆" },
      { type: 'tool_use', id: 'toolu_01T1x1fJ34qAmk2tNTrN7Up6', name: 'get_weather', input: { location: 'San Francisco' } },
      { type: 'tool_use', id: 'toolu_02', name: 'get_time', input: {} },
    ]);
  });

  it('of a chat upstream is the same answer', () => {
    const answer = collectAnswer(readEvents(reader(), writeEvents(writer(), readEvents(new ChatStreamReader(), loadFixture('chat-tools.reference.sse')))));
    expect(answer).toMatchObject({
      id: 'chatcmpl-123',
      stopReason: 'tool_calls',
      parts: [{ text: 'Let me look: é 🦆' }, { id: 'call_DdmO9pD3xa9XTPNJ32zg2hcA', argumentsJson: '{"location":"Paris"}' }, { id: 'call_time', argumentsJson: '{}' }],
      usage: { inputTokens: 1919, cachedInputTokens: 1024, outputTokens: 110, reasoningTokens: 64 },
    });
  });

  it('that breaks off with an error ends with an error', () => {
    const written = writeEvents(writer(), readEvents(new AnthropicStreamReader(), loadFixture('anthropic-error.reference.sse')));
    expect(pieces(written).at(-1)).toEqual({ error: { code: 503, message: 'Overloaded', status: 'UNAVAILABLE' } });
    expect(errorOf(readEvents(reader(), written))).toMatchObject([{ kind: 'overloaded' }]);
  });
});

describe('the facts of a stream that passes', () => {
  const factsOf = (json: string) => {
    const bytes = Buffer.from(`data: ${json}\n\n`);
    const scanner = new JsonScanner();
    expect(scanner.scan(bytes, 'data: '.length, bytes.length - 2, { strictKeys: false })).toBe(true);
    return readGeminiEventFacts(scanner, bytes);
  };
  const factsOfStream = (name: string) => loadFixture(name).toString().trimEnd().split('\r\n\r\n').map((event) => factsOf(event.slice('data: '.length)));

  it('tell the end, the usage and the language', () => {
    const facts = factsOfStream('gemini-tools.reference.sse');
    expect(facts.map(({ endsWell }) => endsWell)).toEqual([false, false, false, false, false, false, true]);
    expect(facts.at(-1)?.usage).toMatchObject(USAGE);
    expect(facts.every(({ isError }) => !isError)).toBe(true);
    expect(facts.reduce((sum, { textBytes }) => sum + textBytes, 0)).toBeGreaterThan(40);
  });

  it('tell an error and a blocked prompt', () => {
    expect(factsOfStream('gemini-error.reference.sse').map(({ isError, endsWell }) => [isError, endsWell])).toEqual([[false, false], [true, false]]);
    expect(factsOfStream('gemini-blocked.reference.sse')).toMatchObject([{ isError: false, endsWell: true, usage: { inputTokens: 8 } }]);
    expect(factsOfStream('gemini-refusal.reference.sse').at(-1)).toMatchObject({ endsWell: true });
  });

  it.each([
    '{"candidates":[{"content":{"parts":[{"text":"\\"finishReason\\":\\"STOP\\""}]}}]}',
    '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"finishReason":"STOP"}}}]}}]}',
    '{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}',
    '{"candidates":[{"finishReason":null}],"error":null,"promptFeedback":{"safetyRatings":[]}}',
    '{"candidates":null}',
    '{"usageMetadata":{"promptTokenCount":5}}',
  ])('see no end in %s', (json) => {
    expect(factsOf(json)).toMatchObject({ endsWell: false, isError: false });
  });
});
