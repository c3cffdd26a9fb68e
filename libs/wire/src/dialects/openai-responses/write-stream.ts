import { type ConversationError, type ConversationEvent, type ConversationStreamWriter, type ConversationUsage, type PartDelta, type PartStart, type StopReason } from '../conversation';
import { type ItemStatus, type OutputItem, OutputItems, toContentJson, toItemJson, toSummaryJson } from './output-item';
import { ResponseObject, type ResponsesAnswerOptions, type ResponseState, toResponseEnd } from './response-object';
import { writeResponsesErrorEvent } from './write-error';

/** An item that is being written. */
interface OpenItem {
  readonly item: OutputItem;
  /** What each of its events says of where it is: JSON members, with a comma behind them. */
  readonly place: string;
  /** All that was added; the last events repeat it. */
  text: string;
  signature: string | null;
}

/** What an item holds, once it is whole. */
interface StoppedItem {
  readonly item: OutputItem;
  readonly contentJson: string;
  readonly signature: string | null;
}

/**
 * Writes a stream of OpenAI's Responses: events that are numbered and have `event:` lines, without
 * `[DONE]`. Each part is an item of its own, and items may be open at the same time. Thinking goes out
 * as a summary (`reasoning_summary_text`), which all clients show; `reasoning_text`, which is for
 * models that show all they think, many do not know. The last event of an item waits for the event
 * behind it, as only then it is known whether the item was cut off. An error is `response.failed`.
 */
export class ResponsesStreamWriter implements ConversationStreamWriter {
  private response: ResponseObject | null = null;
  private items = new OutputItems('');
  private sequenceNumber = 0;
  private readonly open = new Map<number, OpenItem>();
  private stopped: StoppedItem | null = null;
  /** Items that are done, as JSON texts, by their index. */
  private readonly output: string[] = [];
  private hasRefusal = false;
  private usage: ConversationUsage | null = null;
  private reason: StopReason = 'end';
  private isFinished = false;

  constructor(private readonly options: ResponsesAnswerOptions) {}

  write(event: ConversationEvent): string {
    if (this.isFinished) return '';
    switch (event.type) {
      case 'start':
        return this.start(event.id);
      case 'part_start':
        return this.finishStopped('completed') + this.startPart(event.index, event.part);
      case 'part_delta':
        return this.finishStopped('completed') + this.addDelta(event.index, event.delta);
      case 'part_stop':
        return this.finishStopped('completed') + this.stopPart(event.index);
      case 'usage':
        this.usage = event.usage;
        return '';
      case 'stop':
        this.reason = event.reason;
        return this.finishStopped(toResponseEnd(event.reason, this.hasRefusal).status === 'incomplete' ? 'incomplete' : 'completed');
      case 'end':
        return this.finish();
      case 'ping':
        return ': keep-alive\n\n';
      case 'error':
        return this.fail(event.error);
    }
  }

  private start(upstreamId: string): string {
    this.response = new ResponseObject(upstreamId, this.options);
    this.items = new OutputItems(this.response.key);
    const state: ResponseState = { status: 'in_progress', output: [], usage: null };
    return this.toResponseEvent('response.created', state) + this.toResponseEvent('response.in_progress', state);
  }

  private startPart(index: number, start: PartStart): string {
    const item = this.items.create(index, start);
    const place = `"item_id":"${item.id}","output_index":${index},`;
    const open: OpenItem = { item, place: start.type === 'text' || start.type === 'refusal' ? `${place}"content_index":0,` : place, text: '', signature: null };
    this.open.set(index, open);
    const added = this.toItemEvent('response.output_item.added', index, toItemJson(item, 'in_progress', start.type === 'tool_call' ? '""' : '', null));
    if (start.type !== 'text' && start.type !== 'refusal') return added;
    if (start.type === 'refusal') this.hasRefusal = true;
    return added + this.toEvent('response.content_part.added', `${open.place}"part":${toContentJson(start.type, '""')}`);
  }

  private addDelta(index: number, delta: PartDelta): string {
    const open = this.open.get(index);
    if (open === undefined) return '';
    switch (delta.type) {
      case 'text':
        return delta.text === '' ? '' : this.addText(open, delta.text);
      case 'signature':
        open.signature = delta.signature;
        return '';
      case 'arguments':
        open.text += delta.json;
        return this.toEvent('response.function_call_arguments.delta', `${open.place}"delta":${JSON.stringify(delta.json)}`);
    }
  }

  private addText(open: OpenItem, text: string): string {
    const isFirst = open.text === '';
    open.text += text;
    const json = JSON.stringify(text);
    switch (open.item.start.type) {
      case 'text':
        return this.toEvent('response.output_text.delta', `${open.place}"delta":${json},"logprobs":[]`);
      case 'refusal':
        return this.toEvent('response.refusal.delta', `${open.place}"delta":${json}`);
      case 'reasoning': {
        const added = isFirst ? this.toEvent('response.reasoning_summary_part.added', `${open.place}"summary_index":0,"part":${toSummaryJson('""')}`) : '';
        return added + this.toEvent('response.reasoning_summary_text.delta', `${open.place}"summary_index":0,"delta":${json}`);
      }
      case 'tool_call':
        return '';
    }
  }

  private stopPart(index: number): string {
    const open = this.open.get(index);
    if (open === undefined) return '';
    this.open.delete(index);
    const { item, place, signature } = open;
    const textJson = JSON.stringify(open.text);
    switch (item.start.type) {
      case 'text':
      case 'refusal': {
        const contentJson = toContentJson(item.start.type, textJson);
        this.stopped = { item, contentJson, signature };
        const done = item.start.type === 'text' ? this.toEvent('response.output_text.done', `${place}"text":${textJson},"logprobs":[]`) : this.toEvent('response.refusal.done', `${place}"refusal":${textJson}`);
        return done + this.toEvent('response.content_part.done', `${place}"part":${contentJson}`);
      }
      case 'reasoning': {
        const contentJson = open.text === '' ? '' : toSummaryJson(textJson);
        this.stopped = { item, contentJson, signature };
        if (contentJson === '') return '';
        return (
          this.toEvent('response.reasoning_summary_text.done', `${place}"summary_index":0,"text":${textJson}`) +
          this.toEvent('response.reasoning_summary_part.done', `${place}"summary_index":0,"part":${contentJson}`)
        );
      }
      case 'tool_call':
        this.stopped = { item, contentJson: textJson, signature };
        return this.toEvent('response.function_call_arguments.done', `${place}"name":${JSON.stringify(item.start.name)},"arguments":${textJson}`);
    }
  }

  private finishStopped(status: ItemStatus): string {
    if (this.stopped === null) return '';
    const { item, contentJson, signature } = this.stopped;
    this.stopped = null;
    const json = toItemJson(item, status, contentJson, signature);
    this.output[item.index] = json;
    return this.toItemEvent('response.output_item.done', item.index, json);
  }

  private finish(): string {
    const end = toResponseEnd(this.reason, this.hasRefusal);
    this.isFinished = true;
    return this.toResponseEvent(`response.${end.status}`, { ...end, output: this.toOutput(), usage: this.usage });
  }

  /** Items that are not whole are left out: a call among them could be taken for one to be made. */
  private fail(error: ConversationError): string {
    if (this.response === null) {
      this.isFinished = true;
      return writeResponsesErrorEvent(error, this.sequenceNumber);
    }
    const rest = this.finishStopped('completed');
    this.isFinished = true;
    return rest + this.toResponseEvent('response.failed', { status: 'failed', error, output: this.toOutput(), usage: this.usage });
  }

  /** An item may be done before one that began earlier, so that there may be holes. */
  private toOutput(): readonly string[] {
    return this.output.filter(() => true);
  }

  private toResponseEvent(type: string, state: ResponseState): string {
    return this.toEvent(type, `"response":${this.response?.toJson(state) ?? 'null'}`);
  }

  private toItemEvent(type: string, index: number, itemJson: string): string {
    return this.toEvent(type, `"output_index":${index},"item":${itemJson}`);
  }

  private toEvent(type: string, members: string): string {
    const text = `event: ${type}\ndata: {"type":"${type}","sequence_number":${this.sequenceNumber},${members}}\n\n`;
    this.sequenceNumber += 1;
    return text;
  }
}
