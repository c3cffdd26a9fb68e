import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Caller, mayUseModel } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { scrubSecrets } from '@weir/platform';
import { type ModelRoute } from '@weir/upstreams';
import { type OperationDefinition } from '../operations';
import { runAttempts } from './attempt-loop';
import { CallMeter, requireAdmitted } from './call-meter';
import { toCallerError } from './caller-error';
import { findPresentedKey } from './presented-key';
import { RelayCall } from './relay-call';
import { parseRequestFacts } from './request-facts';
import { type Road } from './road';

/** The road, for every operation alike: authenticate → admit → plan → attempt → relay → settle. */
export class Relay {
  private openCalls = 0;
  private onIdle: () => void = () => undefined;

  constructor(private readonly road: Road) {}

  /** Answers the request in any case; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse, definition: OperationDefinition, deployment: string | null): Promise<void> {
    const call = new RelayCall(this.road, definition, request, response);
    this.road.metrics.requestStarted();
    this.openCalls += 1;
    try {
      await this.goDown(call, deployment);
    } catch (error) {
      this.answerError(call, error);
    }
    this.finish(call);
    this.openCalls -= 1;
    if (this.openCalls === 0) this.onIdle();
  }

  /** Resolves when no call is open, its usage rows handed to the ledger, or after `timeoutMs`. */
  async whenIdle(timeoutMs: number): Promise<void> {
    if (this.openCalls === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async goDown(call: RelayCall, deployment: string | null): Promise<void> {
    const caller = authenticate(this.road, call.request, call.startedAtMs);
    call.caller = caller;
    requireJson(call.request);
    const body = await call.readBody();
    call.facts = parseRequestFacts(body, call.definition, deployment);
    const route = this.plan(caller, call);
    call.route = route;
    if (call.request.headers['idempotency-key'] !== undefined && (await this.replay(call, caller, body))) return;
    if (!this.road.ledger.hasRoom()) throw new WeirError('ledger_unavailable', { retryAfterMs: 5000 });
    const meter = await this.admit(call, caller, route);
    await this.attempt(call, caller, route, meter);
  }

  /** Whether the request was answered with what an earlier one of the same Idempotency-Key was; if not, its answer is kept. */
  private async replay(call: RelayCall, caller: Caller, body: Buffer): Promise<boolean> {
    const { request, requestId } = call;
    const guard = await this.road.idempotency.begin({ request, keyId: caller.keyId, requestId, body });
    if (guard.kind === 'replay') {
      call.sendReplay(guard);
      return true;
    }
    call.capture = guard.capture;
    guard.capture.attach(call.response);
    if (call.isClosed) throw new WeirError('client_closed_request');
    return false;
  }

  /** @throws WeirError that names the limit, when one refuses */
  private async admit(call: RelayCall, caller: Caller, route: ModelRoute): Promise<CallMeter> {
    const meter = new CallMeter(call, caller, route);
    call.meter = meter;
    const askedMs = call.monotonicMs();
    const asked = meter.admit(caller.organizationId, call.startedAtMs);
    if (asked instanceof Promise) {
      call.admission = await asked;
      // In one process it waits only where a budget must be counted from the ledger first.
      this.road.metrics.limiterDecided(this.road.meter.isShared ? 'redis' : 'local', call.monotonicMs() - askedMs);
    } else call.admission = asked;
    requireAdmitted(call.admission);
    if (call.isClosed) throw new WeirError('client_closed_request');
    return meter;
  }

  private plan(caller: Caller, call: RelayCall): ModelRoute {
    const { model } = call.facts;
    const route = this.road.pool.findRoute(model);
    if (route === null || route.operation !== call.definition.operation) {
      throw new WeirError('model_not_found', { message: `The model '${scrubSecrets(model)}' does not exist or does not serve this operation.`, param: 'model' });
    }
    if (!mayUseModel(caller, model)) {
      throw new WeirError('model_not_allowed', { message: `This key may not use the model '${scrubSecrets(model)}'.`, param: 'model' });
    }
    return route;
  }

  private async attempt(call: RelayCall, caller: Caller, route: ModelRoute, meter: CallMeter): Promise<void> {
    const result = await runAttempts(call, caller, route, meter);
    switch (result.kind) {
      case 'answered':
        if (!call.isClosed) call.sendAnswer(result.answer, result.attempt, call.costNanos);
        return;
      case 'streamed':
        call.endStream();
        return;
      case 'refused_by_provider':
        call.sendProviderError(result.failure.provider?.status ?? 400, toCallerError(result.failure, result.candidate.key.secret), result.candidate);
        return;
      case 'failed':
        throw result.error;
    }
  }

  private answerError(call: RelayCall, error: unknown): void {
    if (error instanceof WeirError) {
      call.sendError(error);
      return;
    }
    this.road.requestLog.failed(call, error);
    call.sendError(new WeirError('internal_error'));
  }

  private finish(call: RelayCall): void {
    call.meter?.settle();
    call.capture?.finish({ isWhole: !call.isClosed && !call.isBroken, attempts: call.attempts });
    const durationMs = call.monotonicMs() - call.startedMs;
    const status = call.isClosed ? 499 : call.status;
    const outcome = call.isClosed ? 'aborted' : call.isBroken ? 'failed' : undefined;
    this.road.metrics.requestFinished(call.definition.operation, status, durationMs, call.firstByteMs, outcome);
    this.road.requestLog.finished(call, durationMs);
  }
}

/** @throws WeirError invalid_api_key, key_expired or permission_denied */
export function authenticate(road: Pick<Road, 'authenticate'>, request: IncomingMessage, nowMs: number): Caller {
  const presented = findPresentedKey(request);
  if (presented === null) {
    throw new WeirError('invalid_api_key', { message: 'No API key was given. Send it as: Authorization: Bearer <key>.' });
  }
  return road.authenticate(presented, nowMs);
}

function requireJson(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  if (type !== undefined && !/json/i.test(type)) throw new WeirError('unsupported_media_type');
}

