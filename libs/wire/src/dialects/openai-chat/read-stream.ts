import { type ConversationError, type ConversationEvent, type ConversationStreamReader, type PartStart, type StreamEvent } from '../conversation';
import { toBrokenStream, toErrorKind } from '../conversation-error';
import { isJsonObject, JsonObject } from '../json-object';
import { toMadeId } from '../to-portable-id';
import { readChatUsage } from './read-usage';
import { readFinishReason } from './stop-reason';

/** A tool call as it comes in. */
interface StreamedCall {
  id: string;
  name: string;
  argumentsJson: string;
  /** -1: its name has not come yet. */
  partIndex: number;
  isOpen: boolean;
}

/**
 * Understands the stream of an upstream that speaks OpenAI's chat dialect: chunks, then `[DONE]`.
 * Bears Azure's first chunk (no choices, no id), choices without a delta, usage in any chunk, tool
 * calls without ids or indexes, and thinking under its three names.
 */
export class ChatStreamReader implements ConversationStreamReader {
  private id = '';
  private hasStarted = false;
  private isFinished = false;
  private hasStopped = false;
  private hasRefusal = false;
  private finishReason: string | null = null;
  private partCount = 0;
  /** The part of text, refusal or thinking that is being added to. */
  private openType: 'text' | 'refusal' | 'reasoning' | null = null;
  private openIndex = -1;
  /** Which entry of `reasoning_details` it is. */
  private openDetail: number | null = null;
  private readonly calls = new Map<number, StreamedCall>();
  private out: ConversationEvent[] = [];

  push({ type, data }: StreamEvent): ConversationEvent[] {
    if (this.isFinished) return [];
    this.out = [];
    try {
      if (data.trim() === '[DONE]') this.finish();
      else this.readChunk(JsonObject.of(JSON.parse(data), '', 'upstream'), type === 'error');
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

  private readChunk(chunk: JsonObject, isError: boolean): void {
    const error = chunk.find('error');
    if (isError || error !== null) {
      this.fail(toStreamError(error ?? chunk.members));
      return;
    }
    const choice = chunk.findObjects('choices')?.find((candidate) => (candidate.find('index') ?? 0) === 0);
    if (choice !== undefined) {
      this.start(chunk);
      const delta = choice.findObject('delta');
      if (delta !== null && !this.hasStopped) this.readDelta(delta);
      this.finishReason ??= choice.findText('finish_reason');
      if (this.finishReason !== null) this.stop();
    }
    const usage = readChatUsage(chunk.find('usage'));
    if (usage === null) return;
    this.start(chunk);
    this.out.push({ type: 'usage', usage });
  }

  private start(chunk: JsonObject): void {
    if (this.hasStarted) return;
    this.hasStarted = true;
    this.id = chunk.findText('id') ?? '';
    this.out.push({ type: 'start', id: this.id, model: chunk.findText('model') ?? '' });
  }

  private readDelta(delta: JsonObject): void {
    this.readThinking(delta);
    this.addText('text', delta.findText('content'));
    this.addText('refusal', delta.findText('refusal'));
    const calls = delta.findObjects('tool_calls');
    if (calls !== null) for (const call of calls) this.readCall(call);
  }

  private readThinking(delta: JsonObject): void {
    const details = delta.findObjects('reasoning_details') ?? [];
    for (const detail of details) this.readDetail(detail);
    if (details.length === 0) this.addText('reasoning', delta.findText('reasoning') ?? delta.findText('reasoning_content'));
  }

  private readDetail(detail: JsonObject): void {
    const type = detail.findText('type');
    if (type === 'reasoning.encrypted') {
      this.closeOpen();
      const index = this.startPart({ type: 'reasoning', redactedData: detail.getText('data') });
      this.out.push({ type: 'part_stop', index });
    } else if (type === 'reasoning.text') {
      const number = detail.findInteger('index', 0, 1_000_000);
      if (this.openType === 'reasoning' && number !== this.openDetail) this.closeOpen();
      const signature = detail.findText('signature') ?? '';
      this.addText('reasoning', detail.findText('text'), signature !== '');
      this.openDetail = number;
      if (signature !== '') this.out.push({ type: 'part_delta', index: this.openIndex, delta: { type: 'signature', signature } });
    }
  }

  private addText(type: 'text' | 'refusal' | 'reasoning', text: string | null, evenEmpty = false): void {
    const isEmpty = text === null || text === '';
    if (isEmpty && !evenEmpty) return;
    if (this.openType !== type) {
      this.closeOpen();
      // What comes behind a call closes it, unless its arguments are incomplete.
      this.closeCompleteCalls();
      this.startPart(type === 'reasoning' ? { type, redactedData: null } : { type });
      this.openType = type;
      if (type === 'refusal') this.hasRefusal = true;
    }
    if (!isEmpty) this.out.push({ type: 'part_delta', index: this.openIndex, delta: { type: 'text', text } });
  }

  private startPart(part: PartStart): number {
    const index = this.partCount;
    this.partCount += 1;
    this.openIndex = index;
    this.out.push({ type: 'part_start', index, part });
    return index;
  }

  private closeOpen(): void {
    if (this.openType === null) return;
    this.out.push({ type: 'part_stop', index: this.openIndex });
    this.openType = null;
    this.openDetail = null;
  }

  private readCall(piece: JsonObject): void {
    const called = piece.findObject('function');
    const id = piece.findText('id') ?? '';
    const call = this.findCall(piece.findInteger('index', 0, 10_000), id);
    call.name = call.name === '' ? (called?.findText('name') ?? '') : call.name;
    const json = called?.findText('arguments') ?? '';
    if (call.partIndex === -1) {
      call.argumentsJson += json;
      if (call.name !== '') this.startCall(call);
    } else if (json !== '' && call.isOpen) {
      call.argumentsJson += json;
      this.out.push({ type: 'part_delta', index: call.partIndex, delta: { type: 'arguments', json } });
    }
  }

  /** Servers that send no index send each call with an id, and whole or one after the other. */
  private findCall(index: number | null, id: string): StreamedCall {
    const last = this.calls.size - 1;
    const isNew = index === null && (last === -1 || (id !== '' && this.calls.get(last)?.id !== id));
    const key = index ?? (isNew ? last + 1 : last);
    const known = this.calls.get(key);
    if (known !== undefined) return known;
    const call: StreamedCall = { id, name: '', argumentsJson: '', partIndex: -1, isOpen: false };
    this.calls.set(key, call);
    return call;
  }

  private startCall(call: StreamedCall): void {
    this.closeOpen();
    this.closeCompleteCalls();
    const id = call.id === '' ? toMadeId(`${this.id}:${this.partCount}`) : call.id;
    call.partIndex = this.startPart({ type: 'tool_call', id, name: call.name });
    call.isOpen = true;
    if (call.argumentsJson !== '') this.out.push({ type: 'part_delta', index: call.partIndex, delta: { type: 'arguments', json: call.argumentsJson } });
  }

  /** A whole JSON object cannot go on. Calls whose pieces come in turns stay open. */
  private closeCompleteCalls(): void {
    for (const call of this.calls.values()) if (call.isOpen && isWholeJson(call.argumentsJson)) this.closeCall(call);
  }

  private closeCall(call: StreamedCall): void {
    call.isOpen = false;
    if (call.argumentsJson.trim() === '') this.out.push({ type: 'part_delta', index: call.partIndex, delta: { type: 'arguments', json: '{}' } });
    this.out.push({ type: 'part_stop', index: call.partIndex });
  }

  private stop(): void {
    if (this.hasStopped) return;
    this.hasStopped = true;
    this.closeOpen();
    for (const call of this.calls.values()) if (call.isOpen) this.closeCall(call);
    const reason = readFinishReason(this.finishReason, this.calls.size > 0, this.hasRefusal);
    this.out.push({ type: 'stop', reason, stopSequence: null });
  }

  private finish(): void {
    if (!this.hasStarted) {
      this.fail(toBrokenStream());
      return;
    }
    this.stop();
    this.isFinished = true;
    this.out.push({ type: 'end' });
  }

  private fail(error: ConversationError): void {
    this.isFinished = true;
    this.out.push({ type: 'error', error });
  }
}

function isWholeJson(json: string): boolean {
  // Cheap to tell for nearly all pieces: only what ends with a brace can be an object.
  if (!json.trimEnd().endsWith('}')) return false;
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
}

/** An error in the stream: OpenAI's object, or what other servers say instead of it. */
function toStreamError(error: unknown): ConversationError {
  if (!isJsonObject(error)) return toBrokenStream();
  const { message, code, type, param } = error;
  const status = typeof code === 'number' ? code : Number(typeof code === 'string' && /^[45]\d\d$/.test(code) ? code : 500);
  const isRateLimit = code === 'rate_limit_exceeded' || type === 'rate_limit_error';
  const isQuota = code === 'insufficient_quota' || type === 'insufficient_quota';
  const kind = isQuota ? 'quota' : isRateLimit ? 'rate_limit' : type === 'invalid_request_error' ? 'invalid_request' : toErrorKind(status);
  return {
    kind,
    message: typeof message === 'string' && message !== '' ? message : toBrokenStream().message,
    code: typeof code === 'string' ? code : null,
    param: typeof param === 'string' ? param : null,
  };
}
