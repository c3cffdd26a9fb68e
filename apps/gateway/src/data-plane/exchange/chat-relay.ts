import { readScannedChatUsage, spliceMembers } from '@weir/wire';
import { type AnswerSink } from './answer-sink';
import { type CallerError, toErrorEvent } from './error-format';
import { EventRelay } from './event-relay';

const DONE_EVENT = Buffer.from('data: [DONE]\n\n');
const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');

/**
 * Passes a stream of OpenAI's chat or text completions from an upstream to a caller: whole events,
 * canonically written, each checked, the usage read on the way.
 */
export class ChatRelay extends EventRelay {
  /** @param wantsUsage the caller has asked for the chunk with the usage */
  constructor(
    response: AnswerSink,
    begin: () => void,
    private readonly wantsUsage: boolean,
  ) {
    super(response, begin, false);
  }

  onEvent(bytes: Buffer, dataStart: number, dataEnd: number, type: string | null, rawStart: number, rawEnd: number): void {
    if (this.isOver()) return;
    if (isDoneMark(bytes, dataStart, dataEnd)) {
      this.onDone();
      return;
    }
    if (!this.scan(bytes, dataStart, dataEnd)) return;
    if (type === 'error' || this.hasError()) {
      this.failWith(bytes, dataStart, dataEnd);
      return;
    }
    this.textBytes += this.scanner.textBytes;
    const choices = this.scanner.findMember('choices');
    if (this.readUsage(choices) && !this.wantsUsage) return;
    this.ensureBegun();
    if (choices !== -1 && this.scanner.memberFirstByte(choices) === NULL_START) this.writeWithEmptyChoices(bytes, dataStart, dataEnd, choices);
    else if (rawStart !== -1) this.passOn(bytes, rawStart, rawEnd);
    else this.writeAnew(bytes.subarray(dataStart, dataEnd));
  }

  onComment(): void {
    // Passed on as a sign of life, but only between events of a stream that the caller has begun to read.
    if (!this.hasBegun || this.isOver()) return;
    this.flush();
    this.write(KEEP_ALIVE);
  }

  toErrorEvent(error: CallerError): string {
    return toErrorEvent('openai-chat', error, 0);
  }

  protected onEnd(): void {
    this.fault = { reason: this.hasBegun ? 'ended_early' : 'empty' };
  }

  private onDone(): void {
    if (!this.hasBegun) {
      this.fault = { reason: 'empty' };
      return;
    }
    this.isDone = true;
    this.flush();
    this.write(DONE_EVENT);
  }

  private hasError(): boolean {
    const member = this.scanner.findMember('error');
    return member !== -1 && this.scanner.memberFirstByte(member) !== NULL_START;
  }

  /** Reads the event's usage, if it has one. True for the extra chunk that carries nothing else. */
  private readUsage(choices: number): boolean {
    const { scanner } = this;
    const member = scanner.findMember('usage');
    if (member === -1 || scanner.memberFirstByte(member) !== 0x7b) return false;
    // Cumulative where it comes more than once: the last one wins.
    const usage = readScannedChatUsage(scanner, member);
    if (usage !== null) this.usage = usage;
    const isAlone =
      choices === -1 || scanner.memberFirstByte(choices) === NULL_START || (scanner.memberFirstByte(choices) === 0x5b && scanner.isEmptyMember(choices));
    // Beside a word, it is a count so far: some servers send one with each.
    this.isUsageFinal = isAlone && usage !== null;
    return isAlone;
  }

  /** Some servers send `choices: null` with their usage, which breaks clients. */
  private writeWithEmptyChoices(bytes: Buffer, dataStart: number, dataEnd: number, choices: number): void {
    const start = this.scanner.memberValueStart(choices) - dataStart;
    const end = this.scanner.memberValueEnd(choices) - dataStart;
    this.writeAnew(spliceMembers(bytes.subarray(dataStart, dataEnd), [{ start, end, text: '[]' }]));
  }
}

/** The first byte of `null`. */
const NULL_START = 0x6e;

/** `[DONE]`, also with white space around it, which some servers add. */
function isDoneMark(bytes: Buffer, start: number, end: number): boolean {
  return bytes[start] === 0x5b && end - start >= 6 && end - start < 32 && bytes.toString('latin1', start, end).trim() === '[DONE]';
}
