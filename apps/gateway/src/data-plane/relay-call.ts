import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Caller } from '@weir/access';
import { type Nanos, toUsdString, type UsageUnits, uuidV7, type WeirError } from '@weir/kernel';
import { type Admission, pushRateLimitHeaders, toLimitTrace } from '@weir/limits';
import { type Candidate, type ModelRoute } from '@weir/upstreams';
import { type OpenAiError, toErrorBody, toErrorEvent, toOpenAiError } from '@weir/wire';
import { type OperationDefinition } from '../operations';
import { type Answer, type Attempt } from './attempt';
import { type AttemptFailure } from './attempt-failure';
import { BodyReader } from './body-reader';
import { toCallerError } from './caller-error';
import { type CallMeter } from './call-meter';
import { hasBodyToCome, markClosing } from './closing-connections';
import { type AnswerCapture } from './idempotency/answer-capture';
import { type Replay } from './idempotency/idempotency';
import { toHeaderName } from './prepared-call';
import { type RequestFacts } from './request-facts';
import { type Road } from './road';
import { type Watched } from './watchdog';

const STREAM_HEADERS = ['content-type', 'text/event-stream; charset=utf-8', 'cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no'];
const PROCESSING_MS = /^\d{1,9}(\.\d{1,9})?$/;
/** A caller that was refused may go on sending its body for so long before the connection is closed. */
const LINGER_MS = 2000;

/** One request on its way down the road: what is known of it so far, and how it is answered. */
export class RelayCall implements Watched {
  readonly requestId: string;
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
  /** Time that attempts waited for an upstream's head, in milliseconds. */
  upstreamWaitMs = 0;
  deadlineMs = Infinity;
  watchIndex = -1;
  attempt: Attempt | null = null;
  /** Where the last attempt went, for the log line. */
  upstreamName: string | null = null;
  /** What the last attempt used, for the log line. */
  usage: UsageUnits | null = null;
  costNanos: Nanos | null = null;

  private knownFacts: RequestFacts | null = null;
  private wakeUp: (() => void) | null = null;
  private bodyReader: BodyReader | null = null;

  constructor(
    readonly road: Road,
    readonly definition: OperationDefinition,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
  ) {
    this.startedAtMs = road.clock.nowMs();
    this.startedMs = road.clock.monotonicMs();
    this.requestId = uuidV7(this.startedAtMs);
    response.on('close', () => this.onClose());
  }

  get facts(): RequestFacts {
    if (this.knownFacts === null) throw new Error('the body has not been read yet');
    return this.knownFacts;
  }

  set facts(facts: RequestFacts) {
    this.knownFacts = facts;
    this.model = facts.model;
    this.bodyReadMs = this.monotonicMs();
  }

  /** @throws WeirError body_too_large or client_closed_request */
  async readBody(): Promise<Buffer> {
    const reader = new BodyReader(this.request, this.road.configuration.maxBodyBytes);
    this.bodyReader = reader;
    const body = await reader.read();
    this.bodyReader = null;
    return body;
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
    else this.attempt?.expire();
  }

  /** The caller does not read as fast as the upstream writes: it has so long to go on. */
  onCallerSlow(): void {
    this.deadlineMs = this.monotonicMs() + this.road.configuration.streamTimeoutMs;
  }

  sendAnswer(answer: Answer, attempt: Attempt, costNanos: Nanos | null): void {
    const headers = ['content-type', 'application/json', 'content-length', String(answer.body.length)];
    this.addHeaders(headers, attempt.candidate);
    const processing = answer.headers['openai-processing-ms'];
    // Whatever an upstream writes there: only a number of milliseconds is passed on.
    if (typeof processing === 'string' && PROCESSING_MS.test(processing)) headers.push('openai-processing-ms', processing);
    if (costNanos !== null) headers.push('x-weir-cost-usd', toUsdString(costNanos));
    this.writeHead(answer.httpStatus, headers);
    endWith(this.response, answer.body);
    if (this.response.writableLength > 0) this.watchUntilSent();
  }

  /** Writes the head of a stream; its first event follows at once. */
  beginStream(attempt: Attempt): void {
    this.upstreamWaitMs += this.monotonicMs() - attempt.startedMs;
    this.response.on('drain', () => this.onCallerReads());
    const headers = [...STREAM_HEADERS];
    this.addHeaders(headers, attempt.candidate);
    this.writeHead(200, headers);
    this.deadlineMs = Infinity;
  }

  /** Ends a stream that had begun with an error event, never with `[DONE]`. */
  breakStream(failure: AttemptFailure, candidate: Candidate): void {
    if (this.isClosed) return;
    const error = toCallerError(failure, candidate.key.secret);
    this.errorCode = error.code ?? error.type;
    this.isBroken = true;
    this.response.end(toErrorEvent(error));
  }

  /** After the last event of a stream, whole or broken. */
  endStream(): void {
    if (!this.response.writableEnded) this.response.end();
    if (this.response.writableLength > 0) this.watchUntilSent();
  }

  /** The stored answer of the request that this one repeats. */
  sendReplay({ status, headers, body }: Replay): void {
    this.writeHead(status, headers);
    endWith(this.response, body);
    if (this.response.writableLength > 0) this.watchUntilSent();
  }

  sendError(error: WeirError): void {
    this.errorCode = error.code;
    const headers: string[] = [];
    if (error.retryAfterMs !== null) {
      headers.push('retry-after', String(Math.ceil(error.retryAfterMs / 1000)), 'retry-after-ms', String(Math.ceil(error.retryAfterMs)));
    }
    if (!error.row.retryHelps) headers.push('x-should-retry', 'false');
    if (this.upstreamName !== null) headers.push('x-weir-upstream', toHeaderName(this.upstreamName), 'x-weir-attempts', String(this.attempts));
    this.sendErrorBody(error.status, this.withDecision(toOpenAiError(error)), headers);
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
    this.addAttemptHeaders(headers, candidate);
    this.sendErrorBody(status, error, headers);
  }

  /** A large answer to a caller that does not read must not be kept for ever. */
  private watchUntilSent(): void {
    this.onCallerSlow();
    this.road.watchdog.add(this);
    this.response.once('finish', () => this.road.watchdog.remove(this));
  }

  private sendErrorBody(status: number, error: OpenAiError, headers: string[]): void {
    if (this.isClosed || this.response.headersSent) {
      this.status = status;
      if (!this.response.writableEnded) this.response.destroy();
      return;
    }
    const body = toErrorBody(error);
    headers.push('content-type', 'application/json', 'content-length', String(body.length), 'x-request-id', this.requestId);
    if (this.admission !== null) pushRateLimitHeaders(headers, this.admission);
    if (!hasBodyToCome(this.request)) {
      this.writeHead(status, headers);
      endWith(this.response, body);
    } else {
      this.refuseRestOfBody(status, headers, body);
    }
  }

  /**
   * Answers before the body has come whole. Closing at once would reset the connection and could
   * take the answer with it, so what still comes is read and dropped for a moment.
   */
  private refuseRestOfBody(status: number, headers: string[], body: Buffer): void {
    headers.push('connection', 'close');
    markClosing(this.request);
    this.writeHead(status, headers);
    this.response.write(body);
    const end = (): void => {
      clearTimeout(timer);
      this.response.end();
    };
    const timer = setTimeout(end, LINGER_MS);
    this.request.once('end', end);
    this.request.once('close', end);
    this.request.resume();
  }

  private addHeaders(headers: string[], candidate: Candidate): void {
    headers.push('x-request-id', this.requestId);
    if (this.admission !== null) pushRateLimitHeaders(headers, this.admission);
    this.addAttemptHeaders(headers, candidate);
    headers.push('x-weir-overhead-ms', (this.monotonicMs() - this.bodyReadMs - this.upstreamWaitMs).toFixed(2));
  }

  private addAttemptHeaders(headers: string[], { target }: Candidate): void {
    headers.push('x-weir-upstream', toHeaderName(target.upstream.name), 'x-weir-attempts', String(this.attempts));
  }

  private writeHead(status: number, headers: string[]): void {
    this.status = status;
    this.firstByteMs = this.monotonicMs() - this.startedMs;
    this.response.writeHead(status, headers);
  }

  private onClose(): void {
    this.road.watchdog.remove(this);
    if (this.response.writableFinished) return;
    this.isClosed = true;
    this.wakeUp?.();
    this.bodyReader?.abandon();
    this.attempt?.abort();
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
