import { zeroUsage } from '@weir/kernel';
import {
  AnthropicStreamReader,
  AnthropicStreamWriter,
  type AnswerPart,
  ChatStreamReader,
  ChatStreamWriter,
  type ContentPart,
  type ConversationAnswer,
  type ConversationEvent,
  type ConversationRequest,
  type ConversationTurn,
  parseExactJson,
  readAnthropicAnswer,
  readAnthropicRequest,
  readChatAnswer,
  readChatRequest,
  type StopReason,
  type TextPart,
  toAnthropicModelTraits,
  type UserPart,
  writeAnthropicAnswer,
  writeAnthropicRequest,
  writeChatAnswer,
  writeChatRequest,
} from '@weir/wire';
import { collectAnswer, readEvents, seededRandom, writeEvents } from './fixtures/harness';

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);
/** Takes all that can be said, so that what is lost is the dialect's own loss. */
const TRAITS = { ...toAnthropicModelTraits('claude-opus-4-8'), takesSampling: true };

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
    const letters = ['a', 'é', '🦆', '"', '\\', '\n', '\u2028', 'data: ', '\u0000', '{', ' '];
    return `${this.list(12, () => this.pick(letters)).join('')}x`;
  }
  id(): string {
    this.count += 1;
    return `call_${this.count}`;
  }
  json(): string {
    return this.pick(['{}', '{"a":1}', '{"n":12345678901234567890,"f":0.1}', JSON.stringify({ text: this.words(), list: [1, [2, null]], deep: { __x: true } }), '{"__proto__":{"a":1}}']);
  }
  text(): TextPart {
    return { type: 'text', text: this.words() };
  }
  content(): ContentPart {
    const png = { type: 'base64', mediaType: 'image/png', data: 'iVBORw0KGgo=' } as const;
    return this.pick<ContentPart>([
      this.text(),
      { type: 'image', source: this.pick([png, { type: 'url', url: 'https://example.com/a.png' }]), detail: null, field: '' },
      { type: 'file', source: { type: 'base64', mediaType: 'application/pdf', data: 'JVBERi0x' }, name: 'a.pdf', field: '' },
    ]);
  }
  reasoning(): AnswerPart {
    const [text, data] = [this.words(), this.words()];
    return this.pick<AnswerPart>([
      { type: 'reasoning', text, signature: data, redactedData: null },
      { type: 'reasoning', text, signature: null, redactedData: null },
      { type: 'reasoning', text: '', signature: null, redactedData: data },
    ]);
  }
  call(): AnswerPart & { type: 'tool_call' } {
    return { type: 'tool_call', id: this.id(), name: 'tool', argumentsJson: this.json() };
  }
  exchange(): ConversationTurn[] {
    const calls = this.list(3, () => this.call());
    const results: UserPart[] = calls.map(({ id }) => ({ type: 'tool_result', callId: id, parts: this.list(2, () => this.text()), isError: this.random() < 0.3 }));
    return [
      ...this.list(1, (): ConversationTurn => ({ role: 'system', parts: [this.text()] })),
      { role: 'assistant', parts: [...this.list(2, () => this.reasoning()), ...this.list(2, () => this.text(), 1), ...calls] },
      { role: 'user', parts: [...results, ...this.list(2, () => this.content(), 1)] },
    ];
  }
  request(): ConversationRequest {
    const isStream = this.random() < 0.5;
    return {
      fields: { dialect: 'gemini', messages: '', frequencyPenalty: '', presencePenalty: '', outputFormat: '', stopSequences: '', toolName: () => '' },
      model: 'm',
      system: this.list(2, () => this.text()),
      turns: [{ role: 'user', parts: this.list(3, () => this.content(), 1) }, ...this.list(3, () => this.exchange()).flat()],
      tools: this.list(2, () => ({ name: 'tool', description: this.maybe(() => this.words()), schema: { type: 'object', properties: { a: { type: 'string' } } }, isStrict: this.random() < 0.5 }), 1),
      toolChoice: this.maybe(() => this.pick([{ type: 'auto' }, { type: 'required' }, { type: 'tool', name: 'tool' }] as const)),
      isParallelToolUse: null,
      outputCap: 1 + this.integer(5000),
      temperature: this.maybe(() => this.integer(21) / 10),
      topP: this.maybe(() => 0.9),
      topK: this.maybe(() => 40),
      frequencyPenalty: null,
      presencePenalty: null,
      seed: this.maybe(() => 7),
      stopSequences: this.list(4, () => this.words()),
      outputFormat: this.maybe(() => ({ type: 'json_schema', name: 'shape', description: null, schema: { type: 'object' }, isStrict: this.random() < 0.5 }) as const),
      reasoning: this.maybe(() => this.pick([{ mode: 'on', effort: 'high', budgetTokens: null }, { mode: 'on', effort: null, budgetTokens: 3000 }] as const)),
      isStream,
      wantsStreamUsage: isStream,
      user: this.maybe(() => 'user-1'),
      metadata: this.maybe(() => ({ a: 'b' })) ?? {},
    };
  }
  answer(): ConversationAnswer {
    const stopReason = this.pick<StopReason>(['end', 'output_cap', 'context_window', 'stop_sequence', 'tool_calls', 'refusal', 'pause']);
    const refusal: AnswerPart[] = stopReason === 'refusal' ? this.list(1, () => ({ type: 'refusal', text: this.words() })) : [];
    const [cached, written, thought] = [this.integer(9), this.integer(9), this.integer(9)];
    return {
      id: 'answer_1',
      model: 'm',
      parts: [...this.list(2, () => this.reasoning()), ...this.list(1, () => this.text()), ...refusal, ...(stopReason === 'tool_calls' ? this.list(3, () => this.call(), 1) : [])],
      stopReason,
      stopSequence: stopReason === 'stop_sequence' ? 'END' : null,
      usage: { ...zeroUsage(), inputTokens: cached + written + this.integer(9), cachedInputTokens: cached, cacheWriteTokens: written, outputTokens: thought + this.integer(9), reasoningTokens: thought, requests: 1 },
    };
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
    return [{ type: 'start', id: answer.id, model: answer.model }, ...parts, { type: 'stop', reason: answer.stopReason, stopSequence: answer.stopSequence }, ...usage, { type: 'end' }];
  }
}

/** Without what is only there to be named in refusals. */
const withoutFields = ({ fields: _, ...request }: ConversationRequest): object => JSON.parse(JSON.stringify(request, (key, value: unknown) => (key === 'field' ? undefined : value))) as object;

/** The losses of docs/dialects.md, on the way into Anthropic's dialect. */
function afterAnthropic(request: ConversationRequest): ConversationRequest {
  const isForced = request.toolChoice !== null && request.toolChoice.type !== 'auto';
  const isThinking = request.reasoning !== null && !isForced;
  const { outputFormat, temperature } = request;
  return {
    ...request,
    turns: request.turns.map((turn) => (turn.role === 'assistant' ? { ...turn, parts: turn.parts.filter((part) => part.type !== 'reasoning' || part.signature !== null || part.redactedData !== null) } : turn)),
    temperature: isThinking || temperature === null ? null : Math.min(temperature, 1),
    topP: isThinking || temperature !== null ? null : request.topP,
    topK: isThinking ? null : request.topK,
    seed: null,
    metadata: {},
    outputFormat: outputFormat?.type === 'json_schema' ? { ...outputFormat, name: null, description: null, isStrict: true } : null,
    reasoning: request.reasoning === null ? null : { mode: isThinking ? 'on' : null, effort: request.reasoning.effort ?? 'medium', budgetTokens: null },
    wantsStreamUsage: true,
  };
}

/** The losses of docs/dialects.md, on the way into the chat dialect. */
function afterChat(request: ConversationRequest): ConversationRequest {
  return {
    ...request,
    turns: request.turns.map((turn) => (turn.role === 'user' ? { ...turn, parts: turn.parts.map((part) => (part.type === 'tool_result' ? { ...part, isError: false } : part)) } : turn)),
    topK: null,
    reasoning: request.reasoning === null ? null : { mode: 'on', effort: request.reasoning.effort ?? 'medium', budgetTokens: null },
  };
}

function afterChatAnswer(answer: ConversationAnswer): ConversationAnswer {
  const lost: Partial<Record<StopReason, StopReason>> = { stop_sequence: 'end', pause: 'end', context_window: 'output_cap' };
  return { ...answer, stopReason: lost[answer.stopReason] ?? answer.stopReason, stopSequence: null };
}

describe('a conversation of any kind', () => {
  it('survives Anthropic\'s dialect up to the documented losses', () => {
    for (const seed of SEEDS) {
      const request = new Maker(seededRandom(seed)).request();
      const written = writeAnthropicRequest(request, { model: 'm', defaultOutputCap: 1, traits: TRAITS });
      expect({ seed, ...withoutFields(readAnthropicRequest(parseExactJson(written))) }).toEqual({ seed, ...withoutFields(afterAnthropic(request)) });
    }
  });

  it('survives the chat dialect up to the documented losses', () => {
    for (const seed of SEEDS) {
      const request = new Maker(seededRandom(seed)).request();
      const written = writeChatRequest(request, { model: 'm', keepsReasoning: true });
      expect({ seed, ...withoutFields(readChatRequest(parseExactJson(written))) }).toEqual({ seed, ...withoutFields(afterChat(request)) });
    }
  });

  it('is answered the same in both dialects, whole or streamed', () => {
    const anthropic = { model: 'm', requestId: null };
    const chat = { model: 'm', createdSeconds: 1, wantsUsage: true };
    for (const seed of SEEDS) {
      const maker = new Maker(seededRandom(seed));
      const answer = maker.answer();
      const events = maker.events(answer);
      expect({ seed, ...collectAnswer(events) }).toEqual({ seed, ...answer });
      expect({ seed, ...readAnthropicAnswer(parseExactJson(writeAnthropicAnswer(answer, anthropic))) }).toEqual({ seed, ...answer });
      expect({ seed, ...readChatAnswer(parseExactJson(writeChatAnswer(answer, chat))) }).toEqual({ seed, ...afterChatAnswer(answer) });
      expect({ seed, ...collectAnswer(readEvents(new AnthropicStreamReader(), writeEvents(new AnthropicStreamWriter(anthropic), events), 11)) }).toEqual({ seed, ...answer });
      expect({ seed, ...collectAnswer(readEvents(new ChatStreamReader(), writeEvents(new ChatStreamWriter(chat), events), 11)) }).toEqual({ seed, ...afterChatAnswer(answer) });
    }
  });
});
