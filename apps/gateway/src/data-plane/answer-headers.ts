import { type IncomingHttpHeaders } from 'node:http';
import { type Nanos, toUsdString, type WeirError } from '@weir/kernel';
import { type Admission, pushRateLimitHeaders } from '@weir/limits';
import { type Candidate } from '@weir/upstreams';
import { type WireFormat } from '@weir/wire';
import { KEEP_ALIVE_MS } from './idle-connections';
import { toHeaderName } from './prepared-call';

/** For clients that reuse a connection only as long as they are told that they may, as Node's do. */
const KEEP_ALIVE_HINT = `timeout=${KEEP_ALIVE_MS / 1000}`;
const PROCESSING_MS = /^\d{1,9}(\.\d{1,9})?$/;

/** What a head says of its call. */
export interface AnsweredCall {
  readonly requestId: string;
  readonly errorFormat: WireFormat;
  readonly admission: Admission | null;
  readonly attempts: number;
  readonly queuePosition: number | null;
  /** The model that answered in the place of the one that was asked for. */
  readonly answeredBy: string | null;
  /** Where the last attempt went. */
  readonly upstreamName: string | null;
  /** The gateway's own time, from the end of the request's body to the head. */
  readonly overheadMs: number;
}

export interface WholeAnswer {
  readonly contentType: string;
  readonly body: Buffer;
  /** The upstream's. */
  readonly headers: IncomingHttpHeaders;
}

/** The head of a whole answer, flat: name, value, name, value. */
export function toAnswerHeaders(call: AnsweredCall, answer: WholeAnswer, candidate: Candidate, costNanos: Nanos | null): string[] {
  const headers = ['content-type', answer.contentType, 'content-length', String(answer.body.length)];
  pushCallHeaders(headers, call, candidate);
  const processing = answer.headers['openai-processing-ms'];
  // Whatever an upstream writes there: only a number of milliseconds is passed on.
  if (typeof processing === 'string' && PROCESSING_MS.test(processing)) headers.push('openai-processing-ms', processing);
  if (costNanos !== null) headers.push('x-weir-cost-usd', toUsdString(costNanos));
  return headers;
}

/** What an error of Weir's own says beside its body: when to try again, and who was asked. */
export function toErrorHeaders({ upstreamName, attempts }: AnsweredCall, error: WeirError): string[] {
  const headers: string[] = [];
  if (error.retryAfterMs !== null) {
    headers.push('retry-after', String(Math.ceil(error.retryAfterMs / 1000)), 'retry-after-ms', String(Math.ceil(error.retryAfterMs)));
  }
  if (!error.row.retryHelps) headers.push('x-should-retry', 'false');
  if (upstreamName !== null) headers.push('x-weir-upstream', toHeaderName(upstreamName), 'x-weir-attempts', String(attempts));
  return headers;
}

/** What every answer of an upstream says of its call. */
export function pushCallHeaders(headers: string[], call: AnsweredCall, candidate: Candidate): void {
  pushRequestHeaders(headers, call);
  pushAttemptHeaders(headers, call, candidate);
  headers.push('x-weir-overhead-ms', toHundredths(call.overheadMs));
}

/** With two digits behind the point. `toFixed` does the same at several times the cost, and is for what is never there. */
function toHundredths(ms: number): string {
  const hundredths = Math.round(ms * 100);
  if (!(hundredths >= 0 && hundredths <= Number.MAX_SAFE_INTEGER)) return ms.toFixed(2);
  const rest = hundredths % 100;
  return `${(hundredths - rest) / 100}.${rest < 10 ? '0' : ''}${rest}`;
}

/** The request's id, which Anthropic's clients read under a name of their own, and what remains of the limits. */
export function pushRequestHeaders(headers: string[], { requestId, errorFormat, admission }: AnsweredCall): void {
  headers.push('x-request-id', requestId, 'keep-alive', KEEP_ALIVE_HINT);
  if (errorFormat === 'anthropic' || errorFormat === 'anthropic-count-tokens') headers.push('request-id', requestId);
  if (admission !== null) pushRateLimitHeaders(headers, admission);
}

export function pushAttemptHeaders(headers: string[], { attempts, queuePosition, answeredBy }: AnsweredCall, { target }: Candidate): void {
  headers.push('x-weir-upstream', toHeaderName(target.upstream.name), 'x-weir-attempts', String(attempts));
  if (queuePosition !== null) headers.push('x-weir-queue-position', String(queuePosition));
  if (answeredBy !== null) headers.push('x-weir-model', toHeaderName(answeredBy));
}
