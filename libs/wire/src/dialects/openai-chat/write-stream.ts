import { toErrorEvent } from '../../openai-error-body';
import { type ConversationEvent, type ConversationStreamWriter, type ConversationUsage, type PartDelta, type PartStart } from '../conversation';
import { toChatUsage } from './read-usage';
import { toFinishReason } from './stop-reason';
import { toChatError } from './write-error';

export interface ChatStreamOptions {
  /** The name by which the caller asked for the model. */
  readonly model: string;
  /** OpenAI's `created`: seconds since 1970. */
  readonly createdSeconds: number;
  /** The caller asked for `stream_options.include_usage`. */
  readonly wantsUsage: boolean;
}

/** What is known of a part that has begun. */
interface OpenPart {
  readonly type: PartStart['type'];
  /** A tool call's number among the calls, or a reasoning's among the reasonings: what OpenAI calls index. */
  readonly number: number;
}

/**
 * Writes a stream in OpenAI's chat dialect: a chunk with the role, chunks with deltas, one with the
 * reason, one with the usage if the caller asked, `[DONE]`. Calls are counted by themselves, not among
 * the parts. After an error there is no `[DONE]`: clients would take it for success.
 */
export class ChatStreamWriter implements ConversationStreamWriter {
  private head = '';
  private tail = '';
  private readonly parts = new Map<number, OpenPart>();
  private callCount = 0;
  private reasoningCount = 0;
  private usage: ConversationUsage | null = null;

  constructor(private readonly options: ChatStreamOptions) {}

  write(event: ConversationEvent): string {
    switch (event.type) {
      case 'start':
        return this.start(event.id);
      case 'part_start':
        return this.startPart(event.index, event.part);
      case 'part_delta':
        return this.addDelta(event.index, event.delta);
      case 'part_stop':
        this.parts.delete(event.index);
        return '';
      case 'usage':
        this.usage = event.usage;
        return '';
      case 'stop':
        return this.toChunk('{}', `"${toFinishReason(event.reason)}"`);
      case 'end':
        return `${this.toUsageChunk()}data: [DONE]\n\n`;
      case 'ping':
        return ': keep-alive\n\n';
      case 'error':
        return toErrorEvent(toChatError(event.error)).toString();
    }
  }

  private start(id: string): string {
    const { createdSeconds, model, wantsUsage } = this.options;
    this.head = `data: {"id":${JSON.stringify(id)},"object":"chat.completion.chunk","created":${createdSeconds},"model":${JSON.stringify(model)},"choices":[`;
    // Where usage was asked for, every chunk has it, null until the last.
    this.tail = wantsUsage ? '],"usage":null}\n\n' : ']}\n\n';
    return this.toChunk('{"role":"assistant","content":"","refusal":null}', 'null');
  }

  private toChunk(delta: string, finishReason: string): string {
    return `${this.head}{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finishReason}}${this.tail}`;
  }

  private toUsageChunk(): string {
    if (!this.options.wantsUsage || this.usage === null) return '';
    return `${this.head}],"usage":${JSON.stringify(toChatUsage(this.usage))}}\n\n`;
  }

  private startPart(index: number, part: PartStart): string {
    switch (part.type) {
      case 'text':
      case 'refusal':
        this.parts.set(index, { type: part.type, number: 0 });
        return '';
      case 'reasoning': {
        const number = this.reasoningCount++;
        this.parts.set(index, { type: 'reasoning', number });
        if (part.redactedData === null) return '';
        return this.toDetail({ type: 'reasoning.encrypted', data: part.redactedData, index: number });
      }
      case 'tool_call': {
        const number = this.callCount++;
        this.parts.set(index, { type: 'tool_call', number });
        const { id, name } = part;
        return this.toChunk(JSON.stringify({ tool_calls: [{ index: number, id, type: 'function', function: { name, arguments: '' } }] }), 'null');
      }
    }
  }

  private addDelta(index: number, delta: PartDelta): string {
    const part = this.parts.get(index);
    if (part === undefined) return '';
    switch (delta.type) {
      case 'text':
        return this.addText(part, delta.text);
      case 'signature':
        return this.toDetail({ type: 'reasoning.text', signature: delta.signature, index: part.number });
      case 'arguments':
        return this.toChunk(`{"tool_calls":[{"index":${part.number},"function":{"arguments":${JSON.stringify(delta.json)}}}]}`, 'null');
    }
  }

  private addText({ type, number }: OpenPart, text: string): string {
    const json = JSON.stringify(text);
    if (type === 'refusal') return this.toChunk(`{"refusal":${json}}`, 'null');
    if (type === 'text') return this.toChunk(`{"content":${json}}`, 'null');
    return this.toChunk(`{"reasoning":${json},"reasoning_details":[{"type":"reasoning.text","text":${json},"index":${number}}]}`, 'null');
  }

  private toDetail(detail: object): string {
    return this.toChunk(JSON.stringify({ reasoning_details: [detail] }), 'null');
  }
}
