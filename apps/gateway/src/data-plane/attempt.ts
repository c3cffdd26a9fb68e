import { type IncomingHttpHeaders } from 'node:http';
import { type UsageUnits, WeirError } from '@weir/kernel';
import { getProvider, type Provider } from '@weir/providers';
import {
  AttemptAbortedError,
  type AttemptPhase,
  type Candidate,
  toFailureClass,
  type TransportController,
  type TransportHandler,
} from '@weir/upstreams';
import { type AttemptFailure, BUDGET_EXCEEDED, LEDGER_UNAVAILABLE, toFailure } from './attempt-failure';
import { type AnswerStream, type StreamFault } from './exchange/answer-stream';
import { openAnswerStream } from './exchange/open-answer-stream';
import { readWholeAnswer } from './exchange/read-whole-answer';
import { type ToldAnswer } from './exchange/told-answer';
import { type PreparedCall } from './prepared-call';
import { type RelayCall } from './relay-call';

/** A whole answer, checked, that the caller has not seen yet. */
export interface Answer {
  readonly httpStatus: number;
  readonly headers: IncomingHttpHeaders;
  readonly contentType: string;
  readonly body: Buffer;
}

/** How an attempt ended: with a whole answer, with a stream already passed on, or without. */
export type AttemptResult =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** The caller got the head at least; a failure means that its stream was ended by an error event. */
  | { readonly kind: 'streamed'; readonly failure: AttemptFailure | null }
  | { readonly kind: 'failed'; readonly failure: AttemptFailure };

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
/** After `[DONE]` an upstream may send its trailer; one that keeps talking is cut. */
const MAX_TRAILING_BYTES = 16 * 1024;

const NO_HEADERS: IncomingHttpHeaders = Object.freeze({});
const ignore = (): void => undefined;

type Phase = Exclude<AttemptPhase, 'answering'> | 'collecting' | 'streaming' | 'trailing' | 'over';

/**
 * One try at one target with one key. It is the handler that undici calls as the answer arrives,
 * so that the hot road makes no other object for it.
 */
export class Attempt implements TransportHandler {
  readonly provider: Provider;
  usage: UsageUnits | null = null;
  /** What the upstream says of its answer; null where nobody wants to know it. */
  told: ToldAnswer | null = null;
  /** The provider's own error, for a caller that speaks to its API as it is. */
  refusal: Answer | null = null;
  /** Nothing that would come now changes `usage`. */
  isUsageFinal = false;
  /** Bytes of language in the answer, for an estimate where the upstream reports no usage. */
  outputTextBytes = 0;
  httpStatus: number | null = null;
  readonly startedMs: number;
  /** The request was, or may have been, sent: what the upstream made of it is not known for sure any more. */
  reachedUpstream = false;
  /** When the answer's head came; monotonic, like startedMs. */
  headMs: number | null = null;
  /** When it was over; monotonic. */
  endedMs = 0;

  private phase: Phase = 'connecting';
  private controller: TransportController | null = null;
  private headers: IncomingHttpHeaders = NO_HEADERS;
  /** What has been collected; the first piece stands alone, because mostly it is the whole. */
  private firstChunk: Buffer | null = null;
  private laterChunks: Buffer[] | null = null;
  private collectedBytes = 0;
  private stream: AnswerStream | null = null;
  private cancellation: AttemptFailure | null = null;
  private resolve: (result: AttemptResult) => void = ignore;

  constructor(
    private readonly call: RelayCall,
    readonly candidate: Candidate,
    readonly number: number,
    private readonly prepared: PreparedCall,
  ) {
    this.provider = getProvider(candidate.target.upstream.provider);
    this.startedMs = call.monotonicMs();
  }

  /** Resolves when the attempt is over; never rejects. `send` starts the transport with this handler. */
  run(send: (handler: TransportHandler) => void): Promise<AttemptResult> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      send(this);
    });
  }

  /** The caller has got something of the answer, or the whole of it is here. */
  get hasOutput(): boolean {
    return this.outputTextBytes > 0 || this.stream?.hasBegun === true;
  }

  get isOver(): boolean {
    return this.phase === 'over';
  }

  /** The caller has left: stop the upstream at once. */
  abort(): void {
    this.cancel(toFailure('aborted', this.httpStatus, 'caller_left'));
  }

  /** The whole of an answer took too long. */
  expire(): void {
    if (this.call.raw?.isSending === true) {
      this.cancel({ ...toFailure('aborted', this.httpStatus, 'request_timeout'), isTimeout: true });
      return;
    }
    // Without a connection, nobody was reached: that is no word about the key.
    const failureClass = this.phase === 'connecting' ? 'endpoint' : 'fault';
    this.cancel({ ...toFailure(failureClass, this.httpStatus, 'deadline'), isTimeout: true });
  }

  /** The stream has outrun its hold, and the budget affords no more. */
  stopForBudget(): void {
    this.cancel(toFailure('aborted', this.httpStatus, BUDGET_EXCEEDED));
  }

  /** The record of the intent could not be written: nothing is sent. */
  refuseToStart(): void {
    this.cancel(toFailure('aborted', null, LEDGER_UNAVAILABLE));
  }

  /** The caller reads again. */
  resume(): void {
    this.controller?.resume();
  }

  onRequestStart(controller: TransportController): void {
    this.controller = controller;
    if (this.cancellation !== null) controller.abort(new AttemptAbortedError());
    else {
      this.phase = 'waiting';
      this.reachedUpstream = true;
    }
  }

  onResponseStart(_controller: TransportController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.httpStatus = status;
    this.headMs = this.call.monotonicMs();
    this.headers = headers;
    if (status < 300 && !isPlain(headers)) {
      this.cancel(toFailure('fault', status, 'unasked_encoding'));
      return;
    }
    this.stream = status < 300 ? openAnswerStream(this.call, this.prepared.format, toMediaType(headers), (contentType) => this.begin(contentType)) : null;
    this.phase = this.stream === null ? 'collecting' : 'streaming';
  }

  onResponseData(controller: TransportController, chunk: Buffer): void {
    if (this.phase === 'streaming' && this.stream !== null) {
      this.followStream(this.stream, this.stream.push(chunk), controller);
      const { meter } = this.call;
      if (meter !== null && this.stream.textBytes > meter.outrunBytes && this.phase === 'streaming') meter.onOutrun(() => this.stopForBudget());
      return;
    }
    this.collectedBytes += chunk.length;
    if (this.phase === 'collecting') this.keep(chunk);
    const limit = this.phase === 'trailing' ? MAX_TRAILING_BYTES : this.httpStatus !== null && this.httpStatus < 300 ? MAX_ANSWER_BYTES : MAX_ERROR_BYTES;
    if (this.collectedBytes <= limit) return;
    if (this.phase === 'collecting' && limit === MAX_ERROR_BYTES) this.over(this.readFailedAnswer());
    else this.cancel(toFailure('fault', this.httpStatus, 'answer_too_large'));
    controller.abort(new AttemptAbortedError());
  }

  onResponseEnd(controller: TransportController): void {
    if (this.phase === 'streaming' && this.stream !== null) this.followStream(this.stream, this.stream.finish(), controller);
    else if (this.phase === 'collecting') this.over(this.readAnswer());
    this.phase = 'over';
  }

  onResponseError(_controller: TransportController | null, error: Error): void {
    if (this.phase === 'trailing') {
      this.phase = 'over';
      return;
    }
    if (this.phase === 'over') return;
    if (error instanceof WeirError) {
      // What was to be sent did not come: the caller's doing, or the disk's. It is no word about the upstream, and no bill of its.
      this.reachedUpstream = false;
      this.overFailed(toFailure('aborted', this.httpStatus, error.code));
      return;
    }
    const { failureClass, timedOut } = toFailureClass(error, this.phase === 'connecting' || this.phase === 'waiting' ? this.phase : 'answering');
    this.overFailed({ ...toFailure(failureClass, this.httpStatus, toReason(error)), isTimeout: timedOut });
  }

  private begin(contentType: string): void {
    if (this.call.raw === null) this.call.beginStream(this, contentType);
    else this.call.beginRaw(this, this.httpStatus ?? 200, this.headers);
  }

  private cancel(failure: AttemptFailure): void {
    if (this.phase === 'over' || this.phase === 'trailing') return;
    this.cancellation = failure;
    this.overFailed(failure);
    this.controller?.abort(new AttemptAbortedError());
  }

  private followStream(stream: AnswerStream, verdict: 'more' | 'pause' | 'done' | 'broken', controller: TransportController): void {
    switch (verdict) {
      case 'more':
        return;
      case 'pause':
        controller.pause();
        this.call.onCallerSlow();
        return;
      case 'done':
        this.takeStreamUsage(stream);
        this.resolve({ kind: 'streamed', failure: null });
        this.phase = 'trailing';
        return;
      case 'broken': {
        const fault = stream.fault ?? { reason: 'ended_early' };
        this.overFailed(this.toStreamFailure(fault));
        controller.abort(new AttemptAbortedError());
      }
    }
  }

  private toStreamFailure(fault: StreamFault): AttemptFailure {
    if (fault.reason !== 'error_event') return toFailure('fault', this.httpStatus, fault.reason);
    const provider = this.provider.readFailure(toErrorStatus(fault.body), this.headers, fault.body, this.call.nowMs());
    return { failureClass: provider.failureClass, httpStatus: this.httpStatus, retryAfterMs: provider.retryAfterMs, isTimeout: false, provider, reason: 'error_event' };
  }

  private readAnswer(): AttemptResult {
    const status = this.httpStatus ?? 0;
    if (status < 200 || status >= 300) return this.readFailedAnswer();
    const body = this.takeBody();
    const read = readWholeAnswer(this.call, this.prepared.format, toMediaType(this.headers), body);
    switch (read.kind) {
      case 'error': {
        const provider = this.provider.readFailure(toErrorStatus(body), this.headers, body, this.call.nowMs());
        return failed({ failureClass: provider.failureClass, httpStatus: status, retryAfterMs: provider.retryAfterMs, isTimeout: false, provider, reason: 'error_under_200' });
      }
      case 'fault':
        // Nobody gets to see it, and nobody pays for it.
        return failed(toFailure('fault', status, read.reason));
      case 'answer':
        // Nobody gets to see it, and nobody pays for it: another upstream will be asked.
        // But who asks whisper-1 for a stream is answered whole, as OpenAI documents it.
        if (this.call.facts.isStream && this.call.definition.answers !== 'text') return failed(toFailure('fault', status, 'did_not_stream'));
        this.usage = read.usage;
        this.told = read.told;
        this.outputTextBytes = read.textBytes;
        return { kind: 'answered', answer: { httpStatus: status, headers: this.headers, contentType: read.contentType, body: read.body } };
    }
  }

  private readFailedAnswer(): AttemptResult {
    const status = this.httpStatus ?? 0;
    const body = this.takeBody();
    const provider = this.provider.readFailure(status, this.headers, body, this.call.nowMs());
    // What is packed cannot be searched for the key.
    if (this.call.raw !== null && isPlain(this.headers)) this.refusal = { httpStatus: status, headers: this.headers, contentType: toMediaType(this.headers), body };
    return failed({ failureClass: provider.failureClass, httpStatus: status, retryAfterMs: provider.retryAfterMs, isTimeout: false, provider, reason: 'error_answer' });
  }

  private keep(chunk: Buffer): void {
    if (this.firstChunk === null) this.firstChunk = chunk;
    else (this.laterChunks ??= []).push(chunk);
  }

  private takeBody(): Buffer {
    const { firstChunk, laterChunks } = this;
    this.firstChunk = this.laterChunks = null;
    if (firstChunk === null) return Buffer.alloc(0);
    return laterChunks === null ? firstChunk : Buffer.concat([firstChunk, ...laterChunks], this.collectedBytes);
  }

  private takeStreamUsage(stream: AnswerStream): void {
    this.usage = stream.usage;
    this.told = stream.told ?? null;
    this.isUsageFinal = stream.isUsageFinal;
    this.outputTextBytes = stream.textBytes;
  }

  private over(result: AttemptResult): void {
    this.phase = 'over';
    this.resolve(result);
  }

  /** Ends without a whole answer: told to the caller by the road, or, in a stream that has begun, here. */
  private overFailed(failure: AttemptFailure): void {
    const { stream } = this;
    if (stream !== null) {
      stream.cut();
      this.takeStreamUsage(stream);
    }
    if (stream?.hasBegun !== true) {
      this.over(failed(failure));
      return;
    }
    this.call.breakStream(failure, this.candidate, stream);
    this.over({ kind: 'streamed', failure });
  }
}

function failed(failure: AttemptFailure): AttemptResult {
  return { kind: 'failed', failure };
}

/** An error's code, if it looks like one; its message may hold an address. */
function toReason(error: Error): string {
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : 'transport';
}

function isPlain(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['content-encoding'];
  return encoding === undefined || encoding === 'identity';
}

// Upstreams say the same again and again: the last type is remembered with what was read of it.
let lastContentType = '';
let lastMediaType = '';

/** The content type without its parameters, in lower case. */
function toMediaType(headers: IncomingHttpHeaders): string {
  const type = headers['content-type'];
  if (typeof type !== 'string') return '';
  if (type !== lastContentType) {
    lastContentType = type;
    lastMediaType = type.split(';', 1)[0].trim().toLowerCase();
  }
  return lastMediaType;
}

/**
 * The status that an error should have had which came under status 200: the one it names, else what
 * its words mean, else the server's fault.
 */
function toErrorStatus(body: Buffer): number {
  const text = body.toString('latin1', 0, 4096);
  const named = /"(?:code|status|status_code)"\s*:\s*"?([45]\d\d)\b/.exec(text);
  if (named !== null) return Number(named[1]);
  for (const [status, words] of STATUS_OF_WORDS) if (words.test(text)) return status;
  return 500;
}

const STATUS_OF_WORDS: readonly (readonly [number, RegExp])[] = [
  [401, /"(?:code|type|status)"\s*:\s*"(?:invalid_api_key|authentication_error|UNAUTHENTICATED)"/],
  [429, /"(?:code|type)"\s*:\s*"(?:rate_limit_exceeded|rate_limit_error|requests|tokens|insufficient_quota)"/],
  [400, /"type"\s*:\s*"invalid_request_error"/],
];
