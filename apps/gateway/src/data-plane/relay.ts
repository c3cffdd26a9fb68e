import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Caller } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { type Admission } from '@weir/limits';
import { type OperationDefinition } from '../operations';
import { type FormDefinition } from '../operations/operation-definition';
import { type LoopResult, runAttempts } from './attempt-loop';
import { CallMeter, requireAdmitted } from './call-meter';
import { type CallRoute, getCallRoutes } from './call-routes';
import { scrubBody, toCallerError } from './caller-error';
import { isCountedHere, toLocalTokenCount } from './local-token-count';
import { findSpokenVoice } from './find-spoken-voice';
import { spoolUpload } from './multipart/spool-upload';
import { toUploadDigest } from './multipart/to-upload-digest';
import { findPresentedKey } from './presented-key';
import { planProxy } from './proxy/plan-proxy';
import { RelayCall } from './relay-call';
import { type FactsPlace } from './facts/request-facts';
import { type Road } from './road';
import { toAffinity } from './to-affinity';
import { type BuiltInVoices } from './voices/built-in-voices';

/** The road, for every operation alike: authenticate → admit → plan → attempt → relay → settle. */
export class Relay {
  private openCalls = 0;
  private onIdle: () => void = () => undefined;

  constructor(
    private readonly road: Road,
    private readonly builtInVoices: BuiltInVoices,
  ) {}

  /** Answers the request in any case; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse, definition: OperationDefinition, place: FactsPlace): Promise<void> {
    const call = new RelayCall(this.road, definition, request, response);
    this.road.metrics.requestStarted();
    this.openCalls += 1;
    // The road in one function, and nothing awaited but what takes time: each async function on the way costs promises and turns of its own.
    try {
      const caller = this.authenticate(call);
      let routes: readonly CallRoute[];
      if (definition.operation === 'proxy') routes = await planProxy(this.road, call, caller);
      else if (definition.form !== undefined && isForm(request)) routes = await this.readForm(call, caller, definition.form, place);
      else {
        requireJson(request);
        const reader = call.openBody();
        await reader.read();
        call.facts = definition.readFacts(reader.body, definition, place);
        routes = this.plan(caller, call);
      }
      if (request.headers['idempotency-key'] === undefined || call.raw !== null || !(await this.replay(call, caller))) {
        if (definition.operation === 'speech') await findSpokenVoice(this.road, this.builtInVoices, call, caller, routes);
        const meter = this.makeMeter(call, caller, routes);
        const asked = meter.admit(caller.organizationId, call.startedAtMs);
        this.takeAdmission(call, asked instanceof Promise ? await asked : asked, asked instanceof Promise);
        if (isCountedHere(call.facts, routes[0].route)) call.sendJson(toLocalTokenCount(call.facts));
        else this.answer(call, await runAttempts(call, caller, routes, meter));
      }
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

  /** Its files are kept on disk for as long as the call lasts. */
  private async readForm(call: RelayCall, caller: Caller, form: FormDefinition, place: FactsPlace): Promise<readonly CallRoute[]> {
    const { configuration, uploads, ledger } = this.road;
    if (!ledger.hasRoom()) throw new WeirError('ledger_unavailable', { retryAfterMs: 5000 });
    const upload = await spoolUpload(call.request, form.parts, { maxFileBytes: configuration.maxUploadBytes }, uploads, caller.organizationId);
    call.upload = upload;
    call.facts = form.readFacts(upload, call.definition, place);
    call.speech.upload = upload;
    return this.plan(caller, call);
  }

  private authenticate(call: RelayCall): Caller {
    const caller = authenticate(this.road, call.request, call.startedAtMs);
    call.caller = caller;
    return caller;
  }

  /** Whether the request was answered with what an earlier one of the same Idempotency-Key was; if not, its answer is kept. */
  private async replay(call: RelayCall, caller: Caller): Promise<boolean> {
    const { request, requestId } = call;
    const body = call.upload === null ? call.facts.body : await toUploadDigest(call.upload);
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

  private makeMeter(call: RelayCall, caller: Caller, routes: readonly CallRoute[]): CallMeter {
    if (!this.road.ledger.hasRoom()) throw new WeirError('ledger_unavailable', { retryAfterMs: 5000 });
    const meter = new CallMeter(call, caller, routes);
    call.meter = meter;
    call.askedMs = call.monotonicMs();
    return meter;
  }

  /** @throws WeirError that names the limit, when one refuses */
  private takeAdmission(call: RelayCall, admission: Admission, wasWaitedFor: boolean): void {
    call.admission = admission;
    // In one process it waits only where a budget must be counted from the ledger first.
    if (wasWaitedFor) {
      call.admissionMs = call.monotonicMs() - call.askedMs;
      this.road.metrics.limiterDecided(this.road.meter.isShared ? 'redis' : 'local', call.admissionMs);
    }
    requireAdmitted(admission);
    if (call.isClosed) throw new WeirError('client_closed_request');
  }

  private plan(caller: Caller, call: RelayCall): readonly CallRoute[] {
    const routes = getCallRoutes(this.road.pool, caller, call.definition.operation, call.facts.model);
    const [{ route }] = routes;
    call.route = route;
    if (route.affinity === 'session') call.affinity = toAffinity(caller.keyId, call.facts);
    return routes;
  }

  private answer(call: RelayCall, result: LoopResult): void {
    switch (result.kind) {
      case 'answered':
        if (!call.isClosed) call.sendAnswer(result.answer, result.attempt, call.costNanos);
        return;
      case 'streamed':
        call.endStream();
        return;
      case 'refused_by_provider':
        this.answerRefusal(call, result);
        return;
      case 'failed':
        throw result.error;
    }
  }

  /** Who speaks to a provider's own API gets its own words. */
  private answerRefusal(call: RelayCall, { failure, attempt }: Extract<LoopResult, { kind: 'refused_by_provider' }>): void {
    const { candidate, refusal } = attempt;
    if (refusal !== null) call.sendRaw(refusal, scrubBody(refusal.body, candidate.key.secret), candidate);
    else call.sendProviderError(failure.provider?.status ?? 400, toCallerError(failure, candidate.key.secret), candidate);
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
    void call.upload?.dispose();
    call.capture?.finish({ isWhole: !call.isClosed && !call.isBroken, attempts: call.attempts });
    const { durationMs } = call;
    const status = call.isClosed ? 499 : call.status;
    const outcome = call.isClosed ? 'aborted' : call.isBroken ? 'failed' : undefined;
    this.road.metrics.requestFinished(call.definition.operation, status, durationMs, call.firstByteMs, outcome);
    this.road.requestLog.finished(call, durationMs);
    call.trace?.ended(durationMs);
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

function isForm({ headers }: IncomingMessage): boolean {
  return /^\s*multipart\//i.test(headers['content-type'] ?? '');
}

function requireJson(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  if (type !== undefined && type !== 'application/json' && !/json/i.test(type)) throw new WeirError('unsupported_media_type');
}

