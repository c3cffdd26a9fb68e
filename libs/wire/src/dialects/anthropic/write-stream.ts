import { zeroUsage } from '@weir/kernel';
import { type ConversationEvent, type ConversationStreamWriter, type ConversationUsage, type PartDelta, type PartStart, type StopReason } from '../conversation';
import { toPortableId } from '../to-portable-id';
import { toAnthropicUsage } from './read-usage';
import { toAnthropicStopReason, toStopDetails } from './stop-reason';
import { writeAnthropicErrorEvent } from './write-error';

export interface AnthropicStreamOptions {
  /** The name by which the caller asked for the model. */
  readonly model: string;
  /** For `request_id` of an error. */
  readonly requestId: string | null;
}

/** A part as one block. */
interface OpenBlock {
  readonly partIndex: number;
  readonly blockIndex: number;
  readonly isReasoning: boolean;
  /** What could not be written yet, because an earlier block is open. */
  held: string;
  isDone: boolean;
}

/**
 * Writes a stream in Anthropic's dialect, with the `event:` lines without which its clients see
 * nothing. Its blocks come one after the other, so that parts which are open at the same time are
 * written in turn. The reason, the usage and the explanation of a refusal go out together at the end,
 * in `message_delta`.
 */
export class AnthropicStreamWriter implements ConversationStreamWriter {
  private blockCount = 0;
  /** Blocks not yet written to their end, in order; the first one is open for the caller. */
  private readonly open: OpenBlock[] = [];
  private readonly refusalParts = new Set<number>();
  private refusal = '';
  private usage: ConversationUsage | null = null;
  private reason: StopReason = 'end';
  private stopSequence: string | null = null;

  constructor(private readonly options: AnthropicStreamOptions) {}

  write(event: ConversationEvent): string {
    switch (event.type) {
      case 'start':
        return this.start(event.id);
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
        this.stopSequence = event.stopSequence;
        return '';
      case 'end':
        return this.finish();
      case 'ping':
        return toEvent('ping', '{"type":"ping"}');
      case 'error':
        return writeAnthropicErrorEvent(event.error, this.options.requestId);
    }
  }

  /** Of an upstream that tells the usage at its end, it is 0 here, and corrected in `message_delta`. */
  private start(id: string): string {
    const usage = toAnthropicUsage(this.usage ?? zeroUsage());
    const { model } = this.options;
    const message = { id, type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null, stop_details: null, usage };
    return toEvent('message_start', JSON.stringify({ type: 'message_start', message }));
  }

  private startPart(partIndex: number, part: PartStart): string {
    if (part.type === 'refusal') {
      this.refusalParts.add(partIndex);
      return '';
    }
    const blockIndex = this.blockCount;
    this.blockCount += 1;
    const block: OpenBlock = { partIndex, blockIndex, isReasoning: part.type === 'reasoning', held: '', isDone: false };
    this.open.push(block);
    return this.writeOrHold(block, 'content_block_start', `"content_block":${JSON.stringify(toBlock(part))}`);
  }

  private addDelta(partIndex: number, delta: PartDelta): string {
    if (this.refusalParts.has(partIndex)) {
      if (delta.type === 'text') this.refusal += delta.text;
      return '';
    }
    const block = this.open.find((candidate) => candidate.partIndex === partIndex);
    return block === undefined ? '' : this.writeOrHold(block, 'content_block_delta', `"delta":${toDelta(delta, block.isReasoning)}`);
  }

  private stopPart(partIndex: number): string {
    const block = this.open.find((candidate) => candidate.partIndex === partIndex);
    if (block === undefined) return '';
    block.isDone = true;
    let text = this.writeOrHold(block, 'content_block_stop', '');
    // The next ones can be written now, as far as they have come.
    while (this.open.length > 0 && this.open[0].isDone) {
      this.open.shift();
      if (this.open.length === 0) break;
      text += this.open[0].held;
      this.open[0].held = '';
    }
    return text;
  }

  private writeOrHold(block: OpenBlock, type: string, members: string): string {
    const text = toEvent(type, `{"type":"${type}","index":${block.blockIndex}${members === '' ? '' : `,${members}`}}`);
    if (this.open[0] === block) return text;
    block.held += text;
    return '';
  }

  private finish(): string {
    const { reason, stopSequence } = this;
    const delta = { stop_reason: toAnthropicStopReason(reason), stop_sequence: stopSequence, stop_details: toStopDetails(reason, this.refusal) };
    const usage = toAnthropicUsage(this.usage ?? zeroUsage());
    return toEvent('message_delta', JSON.stringify({ type: 'message_delta', delta, usage })) + toEvent('message_stop', '{"type":"message_stop"}');
  }
}

function toEvent(type: string, json: string): string {
  return `event: ${type}\ndata: ${json}\n\n`;
}

function toBlock(part: Exclude<PartStart, { type: 'refusal' }>): object {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: '', citations: null };
    case 'reasoning':
      return part.redactedData === null ? { type: 'thinking', thinking: '', signature: '' } : { type: 'redacted_thinking', data: part.redactedData };
    case 'tool_call':
      return { type: 'tool_use', id: toPortableId(part.id), name: part.name, input: {} };
  }
}

function toDelta(delta: PartDelta, isReasoning: boolean): string {
  switch (delta.type) {
    case 'text':
      return isReasoning ? `{"type":"thinking_delta","thinking":${JSON.stringify(delta.text)}}` : `{"type":"text_delta","text":${JSON.stringify(delta.text)}}`;
    case 'signature':
      return `{"type":"signature_delta","signature":${JSON.stringify(delta.signature)}}`;
    case 'arguments':
      return `{"type":"input_json_delta","partial_json":${JSON.stringify(delta.json)}}`;
  }
}
