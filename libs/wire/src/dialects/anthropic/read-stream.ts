import { type ConversationError, type ConversationEvent, type ConversationStreamReader, type PartStart, type StreamEvent } from '../conversation';
import { toBrokenStream } from '../conversation-error';
import { JsonObject } from '../json-object';
import { readAnthropicUsage } from './read-usage';
import { readAnthropicStopReason } from './stop-reason';
import { readAnthropicErrorKind } from './write-error';

interface OpenBlock {
  readonly partIndex: number;
  /** A call without arguments has no deltas. */
  lacksArguments: boolean;
}

/**
 * Understands the stream of Anthropic's `POST /v1/messages`. Blocks and deltas that are not known are
 * dropped, and the parts are counted without them.
 */
export class AnthropicStreamReader implements ConversationStreamReader {
  private isFinished = false;
  private hasStarted = false;
  private hasStopped = false;
  private partCount = 0;
  private startUsage: unknown = null;
  private readonly blocks = new Map<number, OpenBlock>();
  private out: ConversationEvent[] = [];

  push({ type, data }: StreamEvent): ConversationEvent[] {
    if (this.isFinished) return [];
    this.out = [];
    try {
      const event = JsonObject.of(JSON.parse(data), '', 'upstream');
      this.readEvent(type === 'error' ? 'error' : event.getText('type'), event);
    } catch {
      this.fail(toBrokenStream());
    }
    return this.out;
  }

  end(): ConversationEvent[] {
    if (this.isFinished) return [];
    this.out = [];
    this.fail(toBrokenStream());
    return this.out;
  }

  private readEvent(type: string, event: JsonObject): void {
    switch (type) {
      case 'message_start':
        this.start(event.getObject('message'));
        break;
      case 'content_block_start':
        this.startBlock(readIndex(event), event.getObject('content_block'));
        break;
      case 'content_block_delta':
        this.addDelta(readIndex(event), event.getObject('delta'));
        break;
      case 'content_block_stop':
        this.stopBlock(readIndex(event));
        break;
      case 'message_delta':
        this.readMessageDelta(event);
        break;
      case 'message_stop':
        this.finish();
        break;
      case 'ping':
        this.out.push({ type: 'ping' });
        break;
      case 'error':
        this.fail(toStreamError(event));
        break;
    }
  }

  private start(message: JsonObject): void {
    if (this.hasStarted) return;
    this.hasStarted = true;
    this.out.push({ type: 'start', id: message.findText('id') ?? '', model: message.findText('model') ?? '' });
    this.startUsage = message.find('usage');
    this.tellUsage(this.startUsage);
  }

  private tellUsage(said: unknown): void {
    const usage = readAnthropicUsage(said, this.startUsage);
    if (usage !== null) this.out.push({ type: 'usage', usage });
  }

  private startBlock(blockIndex: number, block: JsonObject): void {
    switch (block.getText('type')) {
      case 'text':
        this.startPart(blockIndex, { type: 'text' });
        this.addText(blockIndex, block.findText('text'));
        break;
      case 'thinking':
        this.startPart(blockIndex, { type: 'reasoning', redactedData: null });
        this.addText(blockIndex, block.findText('thinking'));
        this.addSignature(blockIndex, block.findText('signature'));
        break;
      case 'redacted_thinking':
        this.startPart(blockIndex, { type: 'reasoning', redactedData: block.getText('data') });
        break;
      case 'tool_use': {
        this.startPart(blockIndex, { type: 'tool_call', id: block.getText('id'), name: block.getText('name') }, true);
        // Servers that imitate Anthropic send the whole input here; Anthropic sends an empty object.
        const input = block.findRecord('input') ?? {};
        if (Object.keys(input).length > 0) this.addArguments(blockIndex, JSON.stringify(input));
        break;
      }
    }
  }

  private startPart(blockIndex: number, part: PartStart, lacksArguments = false): void {
    if (!this.hasStarted || this.hasStopped || this.blocks.has(blockIndex)) throw new Error('events out of order');
    const partIndex = this.partCount;
    this.partCount += 1;
    this.blocks.set(blockIndex, { partIndex, lacksArguments });
    this.out.push({ type: 'part_start', index: partIndex, part });
  }

  private addDelta(blockIndex: number, delta: JsonObject): void {
    switch (delta.getText('type')) {
      case 'text_delta':
        this.addText(blockIndex, delta.findText('text'));
        break;
      case 'thinking_delta':
        this.addText(blockIndex, delta.findText('thinking'));
        break;
      case 'signature_delta':
        this.addSignature(blockIndex, delta.findText('signature'));
        break;
      case 'input_json_delta':
        this.addArguments(blockIndex, delta.findText('partial_json'));
        break;
    }
  }

  private addText(blockIndex: number, text: string | null): void {
    const block = this.blocks.get(blockIndex);
    if (block === undefined || text === null || text === '') return;
    this.out.push({ type: 'part_delta', index: block.partIndex, delta: { type: 'text', text } });
  }

  private addSignature(blockIndex: number, signature: string | null): void {
    const block = this.blocks.get(blockIndex);
    if (block === undefined || signature === null || signature === '') return;
    this.out.push({ type: 'part_delta', index: block.partIndex, delta: { type: 'signature', signature } });
  }

  private addArguments(blockIndex: number, json: string | null): void {
    const block = this.blocks.get(blockIndex);
    if (block === undefined || json === null || json === '') return;
    block.lacksArguments = false;
    this.out.push({ type: 'part_delta', index: block.partIndex, delta: { type: 'arguments', json } });
  }

  private stopBlock(blockIndex: number): void {
    const block = this.blocks.get(blockIndex);
    if (block === undefined) return;
    this.blocks.delete(blockIndex);
    if (block.lacksArguments) this.out.push({ type: 'part_delta', index: block.partIndex, delta: { type: 'arguments', json: '{}' } });
    this.out.push({ type: 'part_stop', index: block.partIndex });
  }

  private readMessageDelta(event: JsonObject): void {
    this.tellUsage(event.find('usage'));
    const delta = event.findObject('delta');
    const reason = delta?.findText('stop_reason') ?? null;
    if (delta === null || reason === null || this.hasStopped) return;
    for (const blockIndex of [...this.blocks.keys()]) this.stopBlock(blockIndex);
    this.tellRefusal(delta.findObject('stop_details')?.findText('explanation') ?? '');
    this.hasStopped = true;
    this.out.push({ type: 'stop', reason: readAnthropicStopReason(reason), stopSequence: delta.findText('stop_sequence') });
  }

  private tellRefusal(explanation: string): void {
    if (explanation === '') return;
    const index = this.partCount;
    this.partCount += 1;
    this.out.push({ type: 'part_start', index, part: { type: 'refusal' } });
    this.out.push({ type: 'part_delta', index, delta: { type: 'text', text: explanation } });
    this.out.push({ type: 'part_stop', index });
  }

  /** Without a reason before it, the end is none. */
  private finish(): void {
    if (!this.hasStopped) {
      this.fail(toBrokenStream());
      return;
    }
    this.isFinished = true;
    this.out.push({ type: 'end' });
  }

  private fail(error: ConversationError): void {
    this.isFinished = true;
    this.out.push({ type: 'error', error });
  }
}

function readIndex(event: JsonObject): number {
  return event.findInteger('index', 0, 1_000_000) ?? 0;
}

function toStreamError(event: JsonObject): ConversationError {
  const error = event.findObject('error');
  return {
    kind: readAnthropicErrorKind(error?.findText('type') ?? null),
    message: error?.findText('message') ?? toBrokenStream().message,
    code: null,
    param: null,
  };
}
