import { zeroUsage } from '@weir/kernel';
import {
  AnthropicStreamReader, AnthropicStreamWriter, type AnswerPart, ChatStreamReader, ChatStreamWriter, type ContentPart, type ConversationAnswer, type ConversationEvent, type ConversationRequest,
  type ConversationTurn, GeminiStreamReader, GeminiStreamWriter, parseExactJson, readAnthropicRequest, readChatRequest, readGeminiAnswer, readGeminiRequest, readResponsesRequest,
  type StopReason, type TextPart, toGeminiModelTraits, toResponsesEchoJson, type UserPart, writeAnthropicAnswer, writeChatAnswer, writeGeminiAnswer, writeGeminiRequest, writeResponsesAnswer,
} from '@weir/wire';
import { collectAnswer, readEvents, seededRandom, writeEvents } from '../fixtures/harness';

const SEEDS = Array.from({ length: 150 }, (_, seed) => seed);
/** Takes all that can be said, so that what is lost is the dialect's own loss. */
const TRAITS = { ...toGeminiModelTraits('gemini-2.5-pro'), takesMediaInResults: true };
const options = { fallbackId: 'req_1' };

class Maker {
  private count = 0;
  constructor(private readonly random: () => number) {}

  integer(below: number): number {
    return Math.floor(this.random() * below);
  }
  pick<Item>(items: readonly Item[]): Item {
    return items[this.integer(items.length)];
  }
  maybe<Item>(make: () => Item): Item | null {
    return this.random() < 0.5 ? make() : null;
  }
  list<Item>(most: number, make: () => Item, least = 0): Item[] {
    return Array.from({ length: least + this.integer(most - least + 1) }, make);
  }
  words(): string {
    const letters = ['a', 'é', '🦆', '"', '\\', '\n', '\r', '\u2028', 'data: ', '\u0000', '{', ' '];
    return `${this.list(12, () => this.pick(letters)).join('')}x`;
  }
  base64(): string {
    return Buffer.from(this.words()).toString('base64');
  }
  id(): string {
    this.count += 1;
    return `call_${this.count}`;
  }
  json(): string {
    return this.pick(['{}', '{"a":1}', '{"n":12345678901234567890,"f":0.1}', JSON.stringify({ snake_case: this.words(), list: [1, [2, null]], finishReason: { __x: true } }), '{"__proto__":{"a":1}}']);
  }
  text(): TextPart {
    return { type: 'text', text: this.words() };
  }
  content(): ContentPart {
    return this.pick<ContentPart>([
      this.text(),
      { type: 'image', source: { type: 'base64', mediaType: 'image/png', data: 'iVBORw0KGgo=' }, detail: null, field: '' },
      { type: 'image', source: { type: 'url', url: 'https://example.com/a.png?x=1' }, detail: null, field: '' },
      { type: 'file', source: { type: 'base64', mediaType: 'application/pdf', data: 'JVBERi0x' }, name: null, field: '' },
    ]);
  }
  call(): AnswerPart & { type: 'tool_call' } {
    return { type: 'tool_call', id: this.id(), name: this.pick(['tool', 'other']), argumentsJson: this.json() };
  }
  /** A turn of Gemini: a signed thought, one text, signed or not, and calls, of which the first may be signed. */
  geminiTurn(): AnswerPart[] {
    const marked = (place: string): AnswerPart => ({ type: 'reasoning', text: '', signature: null, redactedData: `gemini.${place}:${this.base64()}` });
    const calls = this.list(3, () => this.call());
    const signed = calls.flatMap((call, index) => [...(this.random() < 0.5 ? [marked(`call.${index}`)] : []), call]);
    const thought: AnswerPart[] = this.list(1, () => ({ type: 'reasoning', text: this.words(), signature: `gemini.thought:${this.base64()}`, redactedData: null }));
    return [...thought, this.text(), ...this.list(1, () => marked(this.pick(['text', 'part']))), ...signed];
  }
  /** A turn of another provider: several thoughts, signed, not signed, redacted; then a text and calls. */
  foreignTurn(): AnswerPart[] {
    const signed = (): AnswerPart => ({ type: 'reasoning', text: this.words(), signature: this.words(), redactedData: null });
    const redacted = (): AnswerPart => ({ type: 'reasoning', text: '', signature: null, redactedData: this.words() });
    const first: AnswerPart[] = this.list(1, () => ({ type: 'reasoning', text: this.words(), signature: null, redactedData: null }));
    return [...first, ...this.list(3, () => this.pick([signed, redacted])()), this.text(), ...this.list(2, () => this.call())];
  }
  exchange(makeTurn: () => AnswerPart[]): ConversationTurn[] {
    const parts = makeTurn();
    const results: UserPart[] = parts.flatMap((part) => (part.type === 'tool_call' ? [{ type: 'tool_result', callId: part.id, parts: this.list(1, () => this.text()), isError: this.random() < 0.3 }] : []));
    return [{ role: 'assistant', parts }, { role: 'user', parts: [...results, ...this.list(2, () => this.content(), 1)] }];
  }
  request(makeTurn: () => AnswerPart[]): ConversationRequest {
    return {
      fields: { dialect: 'openai-chat', messages: '', frequencyPenalty: '', presencePenalty: '', outputFormat: '', stopSequences: '', toolName: () => '' },
      model: 'm',
      system: this.list(2, () => this.text()),
      turns: [{ role: 'user', parts: this.list(3, () => this.content(), 1) }, ...this.list(3, () => this.exchange(makeTurn)).flat()],
      tools: this.list(2, () => ({ name: 'tool', description: this.maybe(() => this.words()), schema: this.pick<object>([{ type: 'object', properties: {} }, { properties: { some_name: { type: ['string', 'null'] } }, type: 'object' }]) as Record<string, unknown>, isStrict: false }), 1),
      toolChoice: this.maybe(() => this.pick([{ type: 'auto' }, { type: 'none' }, { type: 'required' }] as const)),
      isParallelToolUse: null,
      outputCap: this.maybe(() => 1 + this.integer(5000)),
      temperature: this.maybe(() => this.integer(21) / 10),
      topP: this.maybe(() => 0.9),
      topK: this.maybe(() => 40),
      frequencyPenalty: this.maybe(() => 0.5),
      presencePenalty: this.maybe(() => -0.5),
      seed: this.maybe(() => 7),
      stopSequences: this.list(4, () => this.words()),
      outputFormat: this.maybe(() => this.pick([{ type: 'json_object' }, { type: 'json_schema', name: null, description: null, schema: { type: 'object', properties: { a: { type: 'number' } }, required: ['a'], additionalProperties: false }, isStrict: true }] as const)),
      reasoning: this.maybe(() => this.pick([{ mode: 'on', effort: null, budgetTokens: 3000 }, { mode: 'on', effort: null, budgetTokens: null }] as const)),
      wantsThoughts: this.random() < 0.5,
      isStream: this.random() < 0.5,
      wantsStreamUsage: true,
      user: null,
      metadata: {},
    };
  }
  answer(makeTurn: () => AnswerPart[]): ConversationAnswer {
    const parts = makeTurn();
    const stopReason: StopReason = parts.some(({ type }) => type === 'tool_call') ? 'tool_calls' : this.pick<StopReason>(['end', 'output_cap', 'refusal']);
    const [cached, thought] = [this.integer(9), this.integer(9)];
    const usage = { ...zeroUsage(), inputTokens: cached + this.integer(9), cachedInputTokens: cached, outputTokens: thought + this.integer(9), reasoningTokens: thought, requests: 1 };
    return { id: 'answer_1', model: 'm', parts: stopReason === 'refusal' ? [...parts, { type: 'refusal', text: this.words() }] : parts, stopReason, stopSequence: null, usage };
  }
  /** A stream that adds up to the answer, in pieces of any size. */
  events(answer: ConversationAnswer): ConversationEvent[] {
    const parts = answer.parts.flatMap((part, index): ConversationEvent[] => {
      const pieces = (text: string) => (text === '' ? [] : (text.match(/.{1,4}/gsu) ?? []));
      const start = part.type === 'tool_call' ? { type: part.type, id: part.id, name: part.name } : part.type === 'reasoning' ? { type: part.type, redactedData: part.redactedData } : { type: part.type };
      const texts = part.type === 'tool_call' ? pieces(part.argumentsJson).map((json) => ({ type: 'arguments', json }) as const) : pieces(part.text).map((text) => ({ type: 'text', text }) as const);
      const signature = part.type === 'reasoning' && part.signature !== null ? [{ type: 'signature', signature: part.signature } as const] : [];
      return [{ type: 'part_start', index, part: start }, ...[...texts, ...signature].map((delta) => ({ type: 'part_delta', index, delta }) as const), { type: 'part_stop', index }];
    });
    const usage: ConversationEvent[] = answer.usage === null ? [] : [{ type: 'usage', usage: answer.usage }];
    return [{ type: 'start', id: answer.id, model: answer.model }, ...parts, { type: 'stop', reason: answer.stopReason, stopSequence: null }, ...usage, { type: 'end' }];
  }
}

/** Without what is only there to be named in refusals. */
const withoutFields = ({ fields: _, ...request }: ConversationRequest): object => JSON.parse(JSON.stringify(request, (key, value: unknown) => (key === 'field' ? undefined : value))) as object;
/** What Google is sent of the model's turn. */
const toModelTurn = (request: ConversationRequest): unknown => (parseExactJson(writeGeminiRequest({ ...request, tools: [] }, { model: 'm', traits: TRAITS })) as { contents: unknown[] }).contents[1];
const geminiPlace = { model: 'm', isStream: false };

describe('a conversation of any kind', () => {
  it("survives Gemini's dialect up to the documented losses", () => {
    for (const seed of SEEDS) {
      const maker = new Maker(seededRandom(seed));
      const request = maker.request(() => maker.geminiTurn());
      const written = writeGeminiRequest(request, { model: 'm', traits: TRAITS });
      const read = readGeminiRequest(parseExactJson(written), { model: 'm', isStream: request.isStream });
      expect({ seed, ...withoutFields(read) }).toEqual({ seed, ...withoutFields(request) });
    }
  });

  it("gives Gemini's signatures back to Gemini through callers of every dialect, each at its part", () => {
    for (const seed of SEEDS) {
      const maker = new Maker(seededRandom(seed));
      const answer = maker.answer(() => maker.geminiTurn());
      const spoken = answer.parts.filter(({ type }) => type !== 'refusal');
      const question = { role: 'user', content: 'Hi' };
      const expected = toModelTurn({ ...maker.request(() => []), turns: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }, { role: 'assistant', parts: spoken }] });
      const whole = { ...answer, parts: spoken, stopReason: 'end' } as const;
      const { choices: [{ message }] } = parseExactJson(writeChatAnswer(whole, { model: 'm', createdSeconds: 1 })) as { choices: [{ message: object }] };
      expect({ seed, turn: toModelTurn(readChatRequest({ model: 'm', messages: [question, message] })) }).toEqual({ seed, turn: expected });
      const { role, content } = parseExactJson(writeAnthropicAnswer(whole, { model: 'm' })) as { role: string; content: object[] };
      expect({ seed, turn: toModelTurn(readAnthropicRequest({ model: 'm', max_tokens: 5, messages: [question, { role, content }] })) }).toEqual({ seed, turn: expected });
      const { output } = parseExactJson(writeResponsesAnswer(whole, { model: 'm', createdSeconds: 1, requestId: 'r', echoJson: toResponsesEchoJson({ model: 'm', input: 'Hi' }) })) as { output: object[] };
      expect({ seed, turn: toModelTurn(readResponsesRequest({ model: 'm', store: false, input: [question, ...output] })) }).toEqual({ seed, turn: expected });
    }
  });

  it("gives other providers' thinking back to them through a Gemini caller, whole or streamed, shown or not", () => {
    for (const seed of SEEDS) {
      const maker = new Maker(seededRandom(seed));
      const answer = maker.answer(() => maker.foreignTurn());
      const wantsThoughts = seed % 2 === 0;
      const expected = answer.parts.filter((part) => part.type !== 'refusal' && (wantsThoughts || part.type !== 'reasoning' || part.signature !== null || part.redactedData !== null));
      expect({ seed, parts: replay([toContent(writeGeminiAnswer(answer, { model: 'm', wantsThoughts }))]) }).toEqual({ seed, parts: expected });
      const written = writeEvents(new GeminiStreamWriter({ model: 'm', wantsThoughts }), maker.events(answer));
      const contents = written.trimEnd().split('\n\n').map((event) => toContent(event.slice('data: '.length)));
      expect({ seed, parts: replay(contents) }).toEqual({ seed, parts: expected });
    }
  });

  it('is answered the same in every dialect, whole or streamed', () => {
    for (const seed of SEEDS) {
      const maker = new Maker(seededRandom(seed));
      const answer = maker.answer(() => maker.geminiTurn());
      const events = maker.events(answer);
      const through = readEvents(new GeminiStreamReader(options), writeEvents(new GeminiStreamWriter({ model: 'm' }), events), 11);
      expect({ seed, ...readGeminiAnswer(parseExactJson(writeGeminiAnswer(answer, { model: 'm' })), options) }).toEqual({ seed, ...answer });
      expect({ seed, ...collectAnswer(through) }).toEqual({ seed, ...withSignaturesBehind(answer) });
      expect({ seed, ...collectAnswer(readEvents(new AnthropicStreamReader(), writeEvents(new AnthropicStreamWriter({ model: 'm', requestId: null }), through), 11)) }).toEqual({ seed, ...withSignaturesBehind(answer) });
      const viaChat = collectAnswer(readEvents(new ChatStreamReader(), writeEvents(new ChatStreamWriter({ model: 'm', createdSeconds: 1, wantsUsage: true }), through), 11));
      expect(viaChat.parts).toEqual(withSignaturesBehind(answer).parts);
      for (const written of [writeChatAnswer(answer, { model: 'm', createdSeconds: 1 }), writeAnthropicAnswer(answer, { model: 'm' })]) expect(written).not.toContain('undefined');
    }
  });
});

function toContent(json: string): object {
  return (parseExactJson(json) as { candidates: [{ content: object }] }).candidates[0].content;
}

function replay(contents: readonly object[]): unknown {
  const request = readGeminiRequest({ contents: [{ parts: [{ text: 'Hi' }] }, ...contents] }, geminiPlace);
  return request.turns[1].parts;
}

/** In a stream a text has gone out before its signature comes, which then is an empty part's. */
function withSignaturesBehind(answer: ConversationAnswer): ConversationAnswer {
  return { ...answer, parts: answer.parts.map((part) => (part.type === 'reasoning' && part.redactedData !== null ? { ...part, redactedData: part.redactedData.replace(/^gemini\.text:/, 'gemini.part:') } : part)) };
}
