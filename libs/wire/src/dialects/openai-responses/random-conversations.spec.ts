import { zeroUsage } from '@weir/kernel';
import {
  type AnswerPart,
  type ContentPart,
  type ConversationAnswer,
  type ConversationEvent,
  type ConversationRequest,
  type ConversationTurn,
  parseExactJson,
  readResponsesRequest,
  ResponsesStreamWriter,
  type StopReason,
  type TextPart,
  toResponsesEchoJson,
  type UserPart,
  writeResponsesAnswer,
} from '@weir/wire';
import { seededRandom, writeEvents } from '../fixtures/harness';
import { collectResponse, parseResponsesStream, toKnownAnswer, toResponsesBody } from '../fixtures/responses-harness';

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);
const REQUEST = readResponsesRequest({ model: 'm', input: 'x' });

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
    const letters = ['a', 'é', '🦆', '"', '\\', '\n', '\r', '\u2028', 'data: ', '\u0000', '{', ' ', 'weir.signature:'];
    return `${this.list(12, () => this.pick(letters)).join('')}x`;
  }
  json(): string {
    return this.pick(['{}', '{"a":1}', '{"n":12345678901234567890,"f":0.1}', JSON.stringify({ text: this.words(), list: [1, [2, null]] }), '{"__proto__":{"a":1}}']);
  }
  text(): TextPart {
    return { type: 'text', text: this.words() };
  }
  content(): ContentPart {
    return this.pick<ContentPart>([
      this.text(),
      { type: 'image', source: this.pick([{ type: 'base64', mediaType: 'image/png', data: 'iVBORw0KGgo=' }, { type: 'url', url: 'https://example.com/a.png' }] as const), detail: this.pick([null, 'low', 'original']), field: '' },
      { type: 'file', source: this.pick([{ type: 'base64', mediaType: 'application/pdf', data: 'JVBERi0x' }, { type: 'url', url: 'https://example.com/a.pdf' }] as const), name: this.maybe(() => 'a.pdf'), field: '' },
    ]);
  }
  reasoning(): AnswerPart {
    const [text, data] = [this.words(), this.words()];
    return this.pick<AnswerPart>([
      { type: 'reasoning', text, signature: data, redactedData: null },
      { type: 'reasoning', text: '', signature: data, redactedData: null },
      { type: 'reasoning', text, signature: null, redactedData: null },
      { type: 'reasoning', text: '', signature: null, redactedData: data },
    ]);
  }
  call(): AnswerPart & { type: 'tool_call' } {
    this.count += 1;
    return { type: 'tool_call', id: `functions.tool:${this.count}`, name: 'tool', argumentsJson: this.json() };
  }
  exchange(): ConversationTurn[] {
    const calls = this.list(3, () => this.call());
    const results: UserPart[] = calls.map(({ id }) => ({ type: 'tool_result', callId: id, parts: this.list(2, () => this.content()), isError: false }));
    const parts = [...this.list(2, () => this.reasoning()), ...this.list(2, () => this.text()), ...this.list(1, (): AnswerPart => ({ type: 'refusal', text: this.words() })), ...calls];
    const system: ConversationTurn[] = this.random() < 0.3 ? [{ role: 'system', parts: this.list(2, () => this.text(), 1) }] : [];
    return [{ role: 'assistant', parts: parts.length === 0 ? [this.text()] : parts }, { role: 'user', parts: [...results, ...this.list(2, () => this.content(), 1)] }, ...system];
  }
  request(): ConversationRequest {
    return {
      ...REQUEST,
      system: this.list(2, () => this.text()),
      turns: [{ role: 'user', parts: this.list(3, () => this.content(), 1) }, ...this.list(3, () => this.exchange()).flat()],
      tools: this.list(2, () => ({ name: 'tool', description: this.maybe(() => this.words()), schema: { type: 'object', properties: { a: { type: 'string' } } }, isStrict: this.random() < 0.5 })),
      toolChoice: this.maybe(() => this.pick([{ type: 'auto' }, { type: 'required' }, { type: 'tool', name: 'tool' }] as const)),
      isParallelToolUse: this.maybe(() => this.random() < 0.5),
      outputCap: this.maybe(() => 1 + this.integer(5000)),
      temperature: this.maybe(() => this.integer(21) / 10),
      topP: this.maybe(() => 0.9),
      outputFormat: this.maybe(() => this.pick([{ type: 'json_schema', name: 'shape', description: null, schema: { type: 'object' }, isStrict: this.random() < 0.5 }, { type: 'json_object' }] as const)),
      reasoning: this.maybe(() => this.pick([{ mode: 'on', effort: 'high', budgetTokens: null }, { mode: 'off', effort: null, budgetTokens: null }] as const)),
      isStream: this.random() < 0.5,
      user: this.maybe(() => 'user-1'),
      metadata: this.maybe(() => ({ a: this.words() })) ?? {},
    };
  }
  answer(): ConversationAnswer {
    const stopReason = this.pick<StopReason>(['end', 'output_cap', 'context_window', 'stop_sequence', 'tool_calls', 'refusal', 'pause']);
    const refusal: AnswerPart[] = stopReason === 'refusal' ? this.list(1, () => ({ type: 'refusal', text: this.words() })) : [];
    const calls = stopReason === 'tool_calls' ? this.list(3, () => this.call(), 1) : [];
    const [cached, written, thought] = [this.integer(9), this.integer(9), this.integer(9)];
    return {
      id: 'answer_1',
      model: 'm',
      parts: [...this.list(2, () => this.reasoning()), ...this.list(2, () => this.text()), ...refusal, ...calls],
      stopReason,
      stopSequence: stopReason === 'stop_sequence' ? 'END' : null,
      usage: { ...zeroUsage(), inputTokens: cached + written + this.integer(9), cachedInputTokens: cached, cacheWriteTokens: written, outputTokens: thought + this.integer(9), reasoningTokens: thought, requests: 1 },
    };
  }
  /** A stream that adds up to the answer, in pieces of any size; its parts may come in turns. */
  events(answer: ConversationAnswer): ConversationEvent[] {
    const rows = answer.parts.map((part, index): ConversationEvent[] => {
      const pieces = (text: string) => (text === '' ? [] : (text.match(/.{1,4}/gsu) ?? []));
      const start = part.type === 'tool_call' ? { type: part.type, id: part.id, name: part.name } : part.type === 'reasoning' ? { type: part.type, redactedData: part.redactedData } : { type: part.type };
      const texts = part.type === 'tool_call' ? pieces(part.argumentsJson).map((json) => ({ type: 'arguments', json }) as const) : pieces(part.text).map((text) => ({ type: 'text', text }) as const);
      const signature = part.type === 'reasoning' && part.signature !== null ? [{ type: 'signature', signature: part.signature } as const] : [];
      return [{ type: 'part_start', index, part: start }, ...[...texts, ...signature].map((delta) => ({ type: 'part_delta', index, delta }) as const), { type: 'part_stop', index }];
    });
    const usage: ConversationEvent[] = answer.usage === null ? [] : [{ type: 'usage', usage: answer.usage }];
    const parts = this.random() < 0.5 ? rows.flat() : this.interleave(rows);
    return [{ type: 'start', id: answer.id, model: answer.model }, ...parts, { type: 'stop', reason: answer.stopReason, stopSequence: answer.stopSequence }, ...usage, { type: 'end' }];
  }
  /** Rows begin in their order, then come in turns; the last one ends last, as the one that may be cut. */
  private interleave(rows: readonly ConversationEvent[][]): ConversationEvent[] {
    const [last, ...others] = rows.map((row) => [...row]).reverse();
    const open = others.reverse();
    const out = open.flatMap((row) => row.splice(0, 1));
    out.push(...(last?.splice(0, 1) ?? []));
    while (open.some((row) => row.length > 0)) out.push(...this.pick(open).splice(0, 1));
    return [...out, ...(last ?? [])];
  }
}

/** Without what is only there to be named in refusals. */
const withoutFields = ({ fields: _, ...request }: ConversationRequest): object => JSON.parse(JSON.stringify(request, (key, value: unknown) => (key === 'field' ? undefined : value))) as object;

/** The losses of docs/dialects.md. */
function toKnown({ id: _, ...answer }: ConversationAnswer): object {
  const lost: Partial<Record<StopReason, StopReason>> = { stop_sequence: 'end', pause: 'end', context_window: 'output_cap' };
  return { ...answer, stopReason: lost[answer.stopReason] ?? answer.stopReason, stopSequence: null };
}

describe('a conversation of any kind, said by a caller of Responses', () => {
  it('is read whole', () => {
    for (const seed of SEEDS) {
      const request = new Maker(seededRandom(seed)).request();
      const body: unknown = parseExactJson(JSON.stringify(toResponsesBody(request)));
      expect({ seed, ...withoutFields(readResponsesRequest(body)) }).toEqual({ seed, ...withoutFields(request) });
    }
  });

  it('is answered up to the documented losses, and the same whole or streamed', () => {
    const options = { model: 'm', createdSeconds: 1, requestId: 'r', echoJson: toResponsesEchoJson({}) };
    for (const seed of SEEDS) {
      const maker = new Maker(seededRandom(seed));
      const answer = maker.answer();
      const whole = JSON.parse(writeResponsesAnswer(answer, options));
      expect({ seed, ...toKnownAnswer(whole) }).toEqual({ seed, ...toKnown(answer) });
      const written = writeEvents(new ResponsesStreamWriter(options), maker.events(answer));
      expect({ seed, ...collectResponse(parseResponsesStream(written, 11)) }).toEqual({ seed, ...whole });
    }
  });

  it('is remembered whole when its answer is sent back', () => {
    const options = { model: 'm', createdSeconds: 1, requestId: 'r', echoJson: '{"a":1}' };
    for (const seed of SEEDS) {
      const answer = new Maker(seededRandom(seed)).answer();
      const { output } = JSON.parse(writeResponsesAnswer(answer, options));
      const { turns } = readResponsesRequest({ model: 'm', input: [{ role: 'user', content: 'x' }, ...output] });
      expect({ seed, parts: turns[1]?.parts ?? [] }).toEqual({ seed, parts: answer.parts });
    }
  });
});
