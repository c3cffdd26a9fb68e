import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { type Caller } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { type OperationDefinition } from '../operations';
import { type LoopResult, runAttempts } from './attempt-loop';
import { CallMeter, requireAdmitted } from './call-meter';
import { type CallRoute } from './call-routes';
import { RelayCall } from './relay-call';
import { type Road } from './road';

const LEDGER_RETRY_AFTER_MS = 5_000;

/**
 * A call that nobody waits for at the other end of a connection. It goes down the same road as any
 * other; its request and response are attached to nothing, and nothing may be written to them.
 */
export class DetachedCall extends RelayCall {
  /** Told when an attempt must end whose own exchange is over: its time is up, or the call was called off. */
  onInterrupt: (reason: 'deadline' | 'called_off') => void = () => undefined;

  constructor(road: Road, definition: OperationDefinition) {
    const request = new IncomingMessage(new Socket());
    super(road, definition, request, new ServerResponse(request));
  }

  /** From admission to the end of the last attempt, settled in any case. @throws WeirError when it is not admitted */
  async run(caller: Caller, routes: readonly CallRoute[]): Promise<LoopResult> {
    if (!this.road.ledger.hasRoom()) throw new WeirError('ledger_unavailable', { retryAfterMs: LEDGER_RETRY_AFTER_MS });
    const meter = new CallMeter(this, caller, routes);
    this.meter = meter;
    this.askedMs = this.monotonicMs();
    try {
      this.admission = await meter.admit(caller.organizationId, this.startedAtMs);
      requireAdmitted(this.admission);
      if (this.isClosed) throw new WeirError('client_closed_request');
      return await runAttempts(this, caller, routes, meter);
    } finally {
      meter.settle();
    }
  }

  /** As a caller that leaves: what is under way at an upstream is aborted at once. */
  callOff(): void {
    if (this.isClosed) return;
    // There is no socket that would tell it.
    this.response.emit('close');
    this.onInterrupt('called_off');
  }

  override onDeadline(): void {
    super.onDeadline();
    this.onInterrupt('deadline');
  }

  /** For the log and the metrics, once it is over. @param status what a caller would have got */
  finish(status: number, errorCode: string | null): void {
    this.status = status;
    this.errorCode = errorCode;
    const durationMs = this.monotonicMs() - this.startedMs;
    this.road.metrics.requestFinished(this.definition.operation, this.isClosed ? 499 : status, durationMs, null, this.isClosed ? 'aborted' : undefined);
    this.road.requestLog.finished(this, durationMs);
    this.trace?.ended(durationMs);
  }
}
