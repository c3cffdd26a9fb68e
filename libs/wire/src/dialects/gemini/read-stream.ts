import { type ConversationError, type ConversationEvent, type ConversationStreamReader, type PartStart, type StopReason, type StreamEvent } from '../conversation';
import { toBrokenStream } from '../conversation-error';
import { isJsonObject, JsonObject } from '../json-object';
import { parseExactJson } from '../parse-exact-json';
import { toMadeId } from '../to-portable-id';
import { readGeminiFinishReason, toBlockMessage } from './finish-reason';
import { type GeminiAnswerReadOptions } from './read-answer';
import { readGeminiUsage } from './read-usage';
import { FOREIGN_CALL_SIGNATURE, toOwnSignature } from './signatures';
import { readGeminiErrorKind } from './write-error';

/**
 * Understands the stream of Google's `:streamGenerateContent?alt=sse`: answers in pieces, each with
 * the parts that are new and a snapshot of the usage. There is no `[DONE]`: the stream is whole when
 * it ends after a reason to finish, or after the news that the prompt was blocked. Calls come whole.
 */
export class GeminiStreamReader implements ConversationStreamReader {
  private id = '';
  private hasStarted = false;
  private isFinished = false;
  private finishReason: string | null = null;
  private stopReason: StopReason | null = null;
  private partCount = 0;
  private callCount = 0;
  /** The part of text or thinking that is being added to. */
  private openType: 'text' | 'reasoning' | null = null;
  private openIndex = -1;
  private out: ConversationEvent[] = [];

  constructor(private readonly options: GeminiAnswerReadOptions) {}

  push({ type, data }: StreamEvent): ConversationEvent[] {
    if (this.isFinished) return [];
    this.out = [];
    try {
      this.readPiece(JsonObject.of(parseExactJson(data), '', 'upstream'), type === 'error');
    } catch {
      this.fail(toBrokenStream());
    }
    return this.out;
  }

  end(): ConversationEvent[] {
    if (this.isFinished) return [];
    this.out = [];
    if (this.finishReason !== null) this.stop(this.finishReason);
    if (this.stopReason === null) this.fail(toBrokenStream());
    else this.finish(this.stopReason);
    return this.out;
  }

  private readPiece(piece: JsonObject, isError: boolean): void {
    const error = piece.find('error');
    if (isError || error !== null) {
      this.fail(toStreamError(error ?? piece.members));
      return;
    }
    this.start(piece);
    const candidate = piece.findObjects('candidates')?.find((item) => (item.find('index') ?? 0) === 0);
    if (candidate !== undefined) this.readCandidate(candidate);
    else this.readFeedback(piece.findObject('promptFeedback'));
    const usage = readGeminiUsage(piece.find('usageMetadata'));
    if (usage !== null) this.out.push({ type: 'usage', usage });
  }

  private start(piece: JsonObject): void {
    if (this.hasStarted) return;
    this.hasStarted = true;
    this.id = piece.findText('responseId') || this.options.fallbackId;
    this.out.push({ type: 'start', id: this.id, model: piece.findText('modelVersion') ?? '' });
  }

  private readCandidate(candidate: JsonObject): void {
    const parts = candidate.findObject('content')?.findObjects('parts');
    if (parts != null) for (const part of parts) this.readPart(part);
    const reason = candidate.findText('finishReason') ?? '';
    if (reason === '' || reason === 'FINISH_REASON_UNSPECIFIED') return;
    // What else comes is read, too: some models send a signature or the usage behind the reason.
    this.finishReason ??= reason;
    if (readGeminiFinishReason(reason, false) === 'refusal') this.addRefusal(candidate.findText('finishMessage') ?? '');
  }

  private readPart(part: JsonObject): void {
    const signature = part.findText('thoughtSignature') ?? '';
    if (part.has('functionCall')) this.addCall(part.getObject('functionCall'), signature);
    else if (part.findFlag('thought') === true) this.addThought(part.findText('text') ?? '', signature);
    else if (part.has('text') || (signature !== '' && part.names.length === 1)) this.addText(part.findText('text') ?? '', signature);
  }

  private addThought(text: string, signature: string): void {
    if (text === '' && signature === '') return;
    this.open('reasoning');
    if (text !== '') this.addDelta(text);
    if (signature === '') return;
    this.out.push({ type: 'part_delta', index: this.openIndex, delta: { type: 'signature', signature: toOwnSignature('thought', signature) } });
    this.closeOpen();
  }

  private addText(text: string, signature: string): void {
    // A signed part is sent back by itself, so that it is no piece of the text before it.
    if (signature !== '') this.closeOpen();
    if (text !== '') {
      this.open('text');
      this.addDelta(text);
    }
    if (signature !== '') this.addSignature(text === '' ? 'part' : 'text', signature);
  }

  private addCall(call: JsonObject, signature: string): void {
    const number = this.callCount;
    if (this.options.isParallelToolUse === false && number > 0) return;
    this.callCount += 1;
    const name = call.getText('name');
    const id = call.findText('id') || toMadeId(`${this.id}:${number}`);
    const json = JSON.stringify(call.findRecord('args') ?? {});
    if (signature !== '' && signature !== FOREIGN_CALL_SIGNATURE) this.addSignature(number, signature);
    else this.closeOpen();
    const index = this.startPart({ type: 'tool_call', id, name });
    this.out.push({ type: 'part_delta', index, delta: { type: 'arguments', json } }, { type: 'part_stop', index });
  }

  /** A signature of a text or a call, as a part of its own (signatures.ts). */
  private addSignature(place: 'text' | 'part' | number, signature: string): void {
    this.closeOpen();
    const index = this.startPart({ type: 'reasoning', redactedData: toOwnSignature(place, signature) });
    this.out.push({ type: 'part_stop', index });
  }

  private open(type: 'text' | 'reasoning'): void {
    if (this.openType === type) return;
    this.closeOpen();
    this.openIndex = this.startPart(type === 'text' ? { type } : { type, redactedData: null });
    this.openType = type;
  }

  private addDelta(text: string): void {
    this.out.push({ type: 'part_delta', index: this.openIndex, delta: { type: 'text', text } });
  }

  private startPart(part: PartStart): number {
    const index = this.partCount;
    this.partCount += 1;
    this.out.push({ type: 'part_start', index, part });
    return index;
  }

  private closeOpen(): void {
    if (this.openType === null) return;
    this.out.push({ type: 'part_stop', index: this.openIndex });
    this.openType = null;
  }

  private addRefusal(words: string): void {
    this.closeOpen();
    if (words === '') return;
    const index = this.startPart({ type: 'refusal' });
    this.out.push({ type: 'part_delta', index, delta: { type: 'text', text: words } }, { type: 'part_stop', index });
  }

  private readFeedback(feedback: JsonObject | null): void {
    const reason = feedback?.findText('blockReason') ?? '';
    if (feedback === null || reason === '' || reason === 'BLOCK_REASON_UNSPECIFIED' || this.stopReason !== null) return;
    this.stopReason = 'refusal';
    this.addRefusal(toBlockMessage(reason, feedback.findText('blockReasonMessage')));
  }

  private stop(finishReason: string): void {
    const reason = readGeminiFinishReason(finishReason, this.callCount > 0);
    // Otherwise a broken answer, which may have no part at all, would look like a good one.
    if (reason !== 'malformed') this.stopReason = reason;
  }

  private finish(reason: StopReason): void {
    this.isFinished = true;
    this.closeOpen();
    this.out.push({ type: 'stop', reason, stopSequence: null }, { type: 'end' });
  }

  private fail(error: ConversationError): void {
    this.isFinished = true;
    this.out.push({ type: 'error', error });
  }
}

function toStreamError(error: unknown): ConversationError {
  if (!isJsonObject(error)) return toBrokenStream();
  const { message, status, code } = error;
  return {
    kind: readGeminiErrorKind(typeof status === 'string' ? status : null, typeof code === 'number' ? code : null),
    message: typeof message === 'string' && message !== '' ? message : toBrokenStream().message,
    code: null,
    param: null,
  };
}
