import { type ConversationEvent, type ConversationStreamWriter, type ConversationUsage, type PartDelta, type PartStart, type StopReason } from '../conversation';
import { toGeminiFinishReason } from './finish-reason';
import { toGeminiUsage } from './read-usage';
import { FOREIGN_CALL_SIGNATURE, parseOwnSignature } from './signatures';
import { toThoughtParts } from './write-answer';
import { writeGeminiErrorEvent } from './write-error';
import { type GeminiPart, toArguments } from './write-parts';

export interface GeminiStreamOptions {
  /** The name by which the caller asked for the model. */
  readonly model: string;
  /** As GeminiAnswerOptions.wantsThoughts. */
  readonly wantsThoughts?: boolean;
}

/** A part that has begun, with what cannot be written before it is whole. */
interface OpenPart {
  readonly start: PartStart;
  text: string;
  signature: string | null;
  json: string;
}

/**
 * Writes a stream in Gemini's dialect: answers in pieces. Calls are written whole, as Gemini has it.
 * Reason, usage and the words of a refusal go out together at the end, with an empty text: clients
 * drop a whole answer of which one piece has no part. There is no `[DONE]`, no comment and no sign of
 * life: clients break on each of them.
 */
export class GeminiStreamWriter implements ConversationStreamWriter {
  private head = '';
  private tail = '';
  private readonly wantsThoughts: boolean;
  private readonly parts = new Map<number, OpenPart>();
  private readonly callSignatures = new Map<number, string>();
  private callCount = 0;
  private refusal = '';
  private reason: StopReason = 'end';
  private usage: ConversationUsage | null = null;

  constructor(private readonly options: GeminiStreamOptions) {
    this.wantsThoughts = options.wantsThoughts ?? true;
  }

  write(event: ConversationEvent): string {
    switch (event.type) {
      case 'start':
        this.start(event.id);
        return '';
      case 'part_start':
        return this.startPart(event.index, event.part);
      case 'part_delta':
        return this.addDelta(event.index, event.delta);
      case 'part_stop':
        return this.stopPart(event.index);
      case 'usage':
        this.usage = event.usage;
        return '';
      case 'stop':
        this.reason = event.reason;
        return '';
      case 'end':
        return this.finish();
      case 'ping':
        return '';
      case 'error':
        return writeGeminiErrorEvent(event.error);
    }
  }

  private start(id: string): void {
    this.head = 'data: {"candidates":[{"content":{"parts":[';
    this.tail = `"modelVersion":${JSON.stringify(this.options.model)},"responseId":${JSON.stringify(id)}}\n\n`;
  }

  private toPiece(partJson: string): string {
    return `${this.head}${partJson}],"role":"model"},"index":0}],${this.tail}`;
  }

  private toPieces(parts: readonly GeminiPart[]): string {
    return parts.map((part) => this.toPiece(JSON.stringify(part))).join('');
  }

  private startPart(index: number, start: PartStart): string {
    this.parts.set(index, { start, text: '', signature: null, json: '' });
    if (start.type !== 'reasoning' || start.redactedData === null) return '';
    const own = parseOwnSignature(start.redactedData);
    if (own === null) return this.toPieces(toThoughtParts({ type: 'reasoning', text: '', signature: null, redactedData: start.redactedData }, this.wantsThoughts));
    if (own.place !== 'call') return this.toPieces([{ text: '', thoughtSignature: own.signature }]);
    // It stands before its call.
    this.callSignatures.set(own.callNumber, own.signature);
    return '';
  }

  private addDelta(index: number, delta: PartDelta): string {
    const part = this.parts.get(index);
    if (part === undefined) return '';
    switch (delta.type) {
      case 'text':
        return this.addText(part, delta.text);
      case 'signature':
        part.signature = delta.signature;
        return '';
      case 'arguments':
        part.json += delta.json;
        return '';
    }
  }

  private addText(part: OpenPart, text: string): string {
    switch (part.start.type) {
      case 'text':
        return this.toPiece(`{"text":${JSON.stringify(text)}}`);
      case 'refusal':
        this.refusal += text;
        return '';
      default:
        part.text += text;
        return this.wantsThoughts ? this.toPiece(`{"text":${JSON.stringify(text)},"thought":true}`) : '';
    }
  }

  private stopPart(index: number): string {
    const part = this.parts.get(index);
    if (part === undefined) return '';
    this.parts.delete(index);
    if (part.start.type === 'tool_call') return this.toCall(part.start.id, part.start.name, part.json);
    if (part.start.type !== 'reasoning' || part.signature === null) return '';
    const own = parseOwnSignature(part.signature);
    if (own !== null) return this.toPieces([{ text: '', thought: true, thoughtSignature: own.signature }]);
    const [signed] = toThoughtParts({ type: 'reasoning', text: part.text, signature: part.signature, redactedData: null }, this.wantsThoughts);
    // The text has gone out already.
    return this.toPieces([{ ...signed, text: '' }]);
  }

  private toCall(id: string, name: string, json: string): string {
    const number = this.callCount;
    this.callCount += 1;
    return this.toPieces([{ functionCall: { id, name, args: toArguments(json) }, thoughtSignature: this.callSignatures.get(number) ?? (number === 0 ? FOREIGN_CALL_SIGNATURE : undefined) }]);
  }

  private finish(): string {
    const message = this.refusal === '' ? '' : `"finishMessage":${JSON.stringify(this.refusal)},`;
    const usage = this.usage === null ? '' : `"usageMetadata":${JSON.stringify(toGeminiUsage(this.usage))},`;
    return `${this.head}{"text":""}],"role":"model"},"finishReason":"${toGeminiFinishReason(this.reason)}",${message}"index":0}],${usage}${this.tail}`;
  }
}
