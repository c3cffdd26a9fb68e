import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Caller } from '@weir/access';
import { type Nanos, type UsageUnits, uuidV7, type WeirError } from '@weir/kernel';
import { type Admission, toLimitTrace } from '@weir/limits';
import { type Candidate, type ModelRoute, type QueueTicket } from '@weir/upstreams';
import { type OpenAiError, toOpenAiError, type WireFormat } from '@weir/wire';
import { type OperationDefinition } from '../operations';
import { pushAttemptHeaders, pushCallHeaders, pushRequestHeaders, toAnswerHeaders, toErrorHeaders } from './answer-headers';
import { type Answer, type Attempt, type AttemptResult } from './attempt';
import { type AttemptFailure } from './attempt-failure';
import { BodyReader } from './body-reader';
import { toCallerError, toCallerStatus } from './caller-error';
import { type CallMeter } from './call-meter';
import { hasBodyToCome } from './closing-connections';
import { endAfterBody } from './end-after-body';
import { type AnswerCapture } from './idempotency/answer-capture';
import { type Replay } from './idempotency/idempotency';
import { type AnswerStream } from './exchange/answer-stream';
import { CallerSpeech } from './exchange/caller-speech';
import { toErrorAnswer } from './exchange/error-format';
import { type RequestFacts } from './facts/request-facts';
import { type PreparedCall } from './prepared-call';
import { type SpooledUpload } from './multipart/spool-upload';
import { toReturnedHeaders } from './proxy/passed-headers';
import { type RawExchange } from './proxy/raw-exchange';
import { type Road } from './road';
import { type CallTracing } from './traces/call-tracer';
import { type AtTurnEnd, TurnEnd } from './turn-end';
import { type Watched } from './watchdog';

const STREAM_HEADERS = ['cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no'];

/**
 * Answers go out when the turn ends: behind the write that has put their rows into the spool, and one
 * right after the other, so that callers are woken once and not for each of them.
 */
const turnEnd = new TurnEnd();

/** Makes of an attempt's result the one that it comes to. Never rejects. */
export type FollowAnswer = (attempt: Attempt, prepared: PreparedCall, result: AttemptResult) => Promise<AttemptResult>;

/** One request on its way down the road: what is known of it so far, and how it is answered. */
export class RelayCall implements AtTurnEnd, Watched {
  readonly requestId: string;
  /** In what its errors are said: the operation's format, or that of the provider whose own API is called. */
  errorFormat: WireFormat;
  readonly startedAtMs: number;
  readonly startedMs: number;
  caller: Caller | null = null;
  model: string | null = null;
  route: ModelRoute | null = null;
  admission: Admission | null = null;
  meter: CallMeter | null = null;
  /** Keeps the answer for whoever repeats the request; null without an Idempotency-Key. */
  capture: AnswerCapture | null = null;
  attempts = 0;
  /** The status sent, or the one that would have been. */
  status = 0;
  errorCode: string | null = null;
  firstByteMs: number | null = null;
  /** The caller has left. */
  isClosed = false;
  /** Its stream had begun and was ended by an error event. */
  isBroken = false;
  /** When the body had come whole; the gateway's own time is counted from there. */
  bodyReadMs = 0;
  /** When the limits were asked; monotonic. */
  askedMs = 0;
  /** How long they took; 0 where they answered at once. */
  admissionMs = 0;
  /** Time that attempts waited for an upstream's head, in milliseconds. */
  upstreamWaitMs = 0;
  deadlineMs = Infinity;
  watchIndex = -1;
  attempt: Attempt | null = null;
  /** The second of two attempts that run at the same time. */
  hedge: Attempt | null = null;
  /** Its place in line for an upstream that is full. */
  ticket: QueueTicket | null = null;
  /** Where it stood when it joined the line, from 1; null when it did not have to. */
  queuePosition: number | null = null;
  /** Calls of one session share it; null where the model does not care. */
  affinity: number | null = null;
  /** The form that it came as; null for JSON. */
  upload: SpooledUpload | null = null;
  /** A call to a provider's own API, which passes as it is; null for all others. */
  raw: RawExchange | null = null;
  /** The model that answered in the place of the one that was asked for. */
  answeredBy: string | null = null;
  /** Follows an answer that only says that work has begun to the end of that work; null where answers are what was asked for. */
  follow: FollowAnswer | null = null;
  /** Where the last attempt went, for the log line. */
  upstreamName: string | null = null;
  /** What the last attempt used, for the log line. */
  usage: UsageUnits | null = null;
  costNanos: Nanos | null = null;
  /** Null where there are no traces. */
  readonly trace: CallTracing | null;

  private knownFacts: RequestFacts | null = null;
  private knownSpeech: CallerSpeech | null = null;
  private wakeUp: (() => void) | null = null;
  private bodyReader: BodyReader | null = null;
  /** A whole answer that goes out when the turn ends. */
  private ready: { readonly headers: string[]; readonly body: Buffer } | null = null;

  constructor(
    readonly road: Road,
    readonly definition: OperationDefinition,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
  ) {
    this.errorFormat = definition.format;
    this.startedAtMs = road.clock.nowMs();
    this.startedMs = road.clock.monotonicMs();
    this.requestId = uuidV7(this.startedAtMs);
    this.trace = road.traces === null ? null : road.traces.begin(this);
    response.on('close', () => this.onClose());
  }

  /** The gateway's own time, from the end of the request's body to the answer's head, in milliseconds. */
  get overheadMs(): number {
    return this.startedMs + (this.firstByteMs ?? 0) - this.bodyReadMs - this.upstreamWaitMs;
  }

  /** Until now, or until the whole answer was there that goes out when the turn ends. */
  get durationMs(): number {
    return this.ready !== null && this.firstByteMs !== null ? this.firstByteMs : this.monotonicMs() - this.startedMs;
  }

  get wantsTold(): boolean {
    return this.trace?.isSampled === true;
  }

  get facts(): RequestFacts {
    if (this.knownFacts === null) throw new Error('the body has not been read yet');
    return this.knownFacts;
  }

  set facts(facts: RequestFacts) {
    this.bodyReader = null;
    this.knownFacts = facts;
    this.model = facts.model;
    this.bodyReadMs = this.monotonicMs();
  }

  /** What the caller said, for whoever must tell it in another format. */
  get speech(): CallerSpeech {
    this.knownSpeech ??= new CallerSpeech(this.facts, this.requestId, this.startedAtMs);
    return this.knownSpeech;
  }

  /** For the body, which it has not begun to read. */
  openBody(): BodyReader {
    const reader = new BodyReader(this.request, this.road.configuration.maxBodyBytes);
    this.bodyReader = reader;
    return reader;
  }

  nowMs(): number {
    return this.road.clock.nowMs();
  }

  monotonicMs(): number {
    return this.road.clock.monotonicMs();
  }

  /** Waits, but not beyond the caller's leaving. */
  pause(ms: number): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The attempt, or a caller that does not read, took too long. */
  onDeadline(): void {
    if (this.response.writableNeedDrain || this.response.writableEnded) this.response.destroy();
    else {
      this.attempt?.expire();
      this.hedge?.expire();
    }
  }

  /** The caller does not read as fast as the upstream writes: it has so long to go on. */
  onCallerSlow(): void {
    this.deadlineMs = this.monotonicMs() + this.road.configuration.streamTimeoutMs;
  }

  sendAnswer(answer: Answer, attempt: Attempt, costNanos: Nanos | null): void {
    this.noteHead(answer.httpStatus);
    this.ready = { headers: toAnswerHeaders(this, answer, attempt.candidate, costNanos), body: answer.body };
    // A capture is told at once how the request ended, and must have seen the answer by then.
    if (this.capture === null) turnEnd.push(this);
    else this.onTurnEnd();
  }

  /** The answer goes out. */
  onTurnEnd(): void {
    const { ready } = this;
    this.ready = null;
    if (ready === null || this.isClosed) return;
    try {
      this.response.writeHead(this.status, ready.headers);
      endWith(this.response, ready.body);
    } catch (error) {
      // Other answers follow in this turn.
      this.road.requestLog.failed(this, error);
      this.response.destroy();
    }
    if (this.response.writableLength > 0) this.watchUntilSent();
  }

  /** An answer that Weir itself makes. */
  sendJson(body: Buffer): void {
    this.noteHead(200);
    const headers = ['content-type', 'application/json', 'content-length', String(body.length)];
    pushRequestHeaders(headers, this);
    this.response.writeHead(200, headers);
    endWith(this.response, body);
  }

  /** Writes the head of a stream; its first event follows at once. */
  beginStream(attempt: Attempt, contentType: string): void {
    this.upstreamWaitMs += this.monotonicMs() - attempt.startedMs;
    this.noteHead(200);
    this.response.on('drain', () => this.onCallerReads());
    const headers = ['content-type', contentType, ...STREAM_HEADERS];
    pushCallHeaders(headers, this, attempt.candidate);
    this.response.writeHead(200, headers);
    this.deadlineMs = Infinity;
  }

  /** Writes the head of an answer that passes as it is. */
  beginRaw(attempt: Attempt, status: number, upstreamHeaders: IncomingHttpHeaders): void {
    this.upstreamWaitMs += this.monotonicMs() - attempt.startedMs;
    this.noteHead(status);
    this.response.on('drain', () => this.onCallerReads());
    const headers = toReturnedHeaders(upstreamHeaders);
    pushCallHeaders(headers, this, attempt.candidate);
    // An answer that does not wait for the whole request: what is left of that has no reader.
    if (hasBodyToCome(this.request)) headers.push('connection', 'close');
    this.response.writeHead(status, headers);
    this.deadlineMs = Infinity;
  }

  /** A provider's own refusal, as it is. */
  sendRaw({ httpStatus, headers: upstreamHeaders }: Answer, body: Buffer, candidate: Candidate): void {
    this.errorCode = 'provider_error';
    if (this.isClosed || this.response.headersSent) return;
    this.noteHead(httpStatus);
    const headers = toReturnedHeaders({ ...upstreamHeaders, 'content-length': String(body.length) });
    pushCallHeaders(headers, this, candidate);
    this.sendWhole(httpStatus, headers, body);
  }

  /** Ends a stream that had begun with its format's error event, never as if it were whole. */
  breakStream(failure: AttemptFailure, candidate: Candidate, stream: AnswerStream): void {
    if (this.isClosed) return;
    const error = toCallerError(failure, candidate.key.secret);
    this.errorCode = error.code ?? error.type;
    this.isBroken = true;
    const event = stream.toErrorEvent({ error, status: toCallerStatus(failure), requestId: this.requestId, retryAfterMs: failure.retryAfterMs });
    if (event === null) this.response.destroy();
    else this.response.end(event);
  }

  /** After the last event of a stream, whole or broken. */
  endStream(): void {
    if (this.raw !== null && hasBodyToCome(this.request)) endAfterBody(this.request, this.response);
    else if (!this.response.writableEnded) this.response.end();
    if (this.response.writableLength > 0) this.watchUntilSent();
  }

  /** The stored answer of the request that this one repeats. */
  sendReplay({ status, headers, body }: Replay): void {
    this.noteHead(status);
    this.response.writeHead(status, headers);
    endWith(this.response, body);
    if (this.response.writableLength > 0) this.watchUntilSent();
  }

  sendError(error: WeirError): void {
    this.errorCode = error.code;
    this.sendErrorBody(error.status, this.withDecision(toOpenAiError(error)), toErrorHeaders(this, error), error.retryAfterMs);
  }

  /** Who is refused by a limit is told of all of them: which refused, what remains, when it frees. */
  private withDecision(error: OpenAiError): OpenAiError {
    if (this.admission === null || this.admission.admitted) return error;
    return { ...error, limitsJson: JSON.stringify(toLimitTrace(this.admission)) };
  }

  /** A provider's own error about the caller's request, with its status. */
  sendProviderError(status: number, error: OpenAiError, candidate: Candidate): void {
    this.errorCode = error.code ?? error.type;
    const headers: string[] = [];
    pushAttemptHeaders(headers, this, candidate);
    this.sendErrorBody(status, error, headers, null);
  }

  /** A large answer to a caller that does not read must not be kept for ever. */
  private watchUntilSent(): void {
    this.onCallerSlow();
    this.road.watchdog.add(this);
    this.response.once('finish', () => this.road.watchdog.remove(this));
  }

  private sendErrorBody(status: number, error: OpenAiError, headers: string[], retryAfterMs: number | null): void {
    if (this.isClosed || this.response.headersSent) {
      this.status = status;
      if (!this.response.writableEnded) this.response.destroy();
      return;
    }
    this.noteHead(status);
    const body = toErrorAnswer(this.errorFormat, { error, status, requestId: this.requestId, retryAfterMs });
    headers.push('content-type', 'application/json', 'content-length', String(body.length));
    pushRequestHeaders(headers, this);
    this.sendWhole(status, headers, body);
  }

  private sendWhole(status: number, headers: string[], body: Buffer): void {
    if (!hasBodyToCome(this.request)) {
      this.response.writeHead(status, headers);
      endWith(this.response, body);
    } else {
      this.refuseRestOfBody(status, headers, body);
    }
  }

  /** Answers before the body has come whole. */
  private refuseRestOfBody(status: number, headers: string[], body: Buffer): void {
    headers.push('connection', 'close');
    this.response.writeHead(status, headers);
    this.response.write(body);
    endAfterBody(this.request, this.response);
  }

  /** The head is made now, and sent. */
  private noteHead(status: number): void {
    this.status = status;
    this.firstByteMs = this.monotonicMs() - this.startedMs;
  }

  private onClose(): void {
    this.road.watchdog.remove(this);
    if (this.response.writableFinished) return;
    this.isClosed = true;
    this.wakeUp?.();
    this.bodyReader?.abandon();
    this.ticket?.cancel();
    this.attempt?.abort();
    this.hedge?.abort();
  }

  private onCallerReads(): void {
    // Behind the end there is nothing more to come: what is left has its time to be read.
    if (!this.response.writableEnded) this.deadlineMs = Infinity;
    this.attempt?.resume();
  }
}

/** A short answer goes out in one piece with its head, as a string; a Buffer would be a second piece beside it. */
const ONE_PIECE_BYTES = 16 * 1024;

function endWith(response: ServerResponse, body: Buffer): void {
  // Each byte is a character of Latin-1, so the bytes come out as they are.
  if (body.length <= ONE_PIECE_BYTES) response.end(body.toString('latin1'), 'latin1');
  else response.end(body);
}
