import { type IncomingMessage } from 'node:http';
import { type Caller } from '@weir/access';
import { toUsdString, WeirError } from '@weir/kernel';
import { toTier } from '@weir/ledger';
import { type Demand, type PlanUse, toLimitTrace, toRefusal } from '@weir/limits';
import { scrubSecrets } from '@weir/platform';
import { toUpstreamModel } from '@weir/upstreams';
import { JsonScanner } from '@weir/wire';
import { OPERATION_DEFINITIONS } from '../operations';
import { BodyReader } from './body-reader';
import { type CallRoute, getCallRoutes } from './call-routes';
import { toCallTerms } from './call-terms';
import { type Estimate } from './estimate';
import { authenticate } from './relay';
import { type RequestFacts } from './facts/request-facts';
import { type Road } from './road';
import { type RouteMatch } from './route-table';

const DEFAULT_PATH = '/v1/chat/completions';
const scanner = new JsonScanner();

type Operation = Extract<RouteMatch, { kind: 'operation' | 'meshes' }>;

/** `POST /v1/explain {path?, request}`: what would become of a request, and why. Takes nothing and calls nothing. */
export async function explain(road: Road, request: IncomingMessage): Promise<Buffer> {
  const nowMs = road.clock.nowMs();
  const caller = authenticate(road, request, nowMs);
  const reader = new BodyReader(request, road.configuration.maxBodyBytes);
  await reader.read();
  const { operation, facts } = parseExplained(road, reader.body);
  const explanation = await toExplanation(road, caller, operation, facts, nowMs);
  return Buffer.from(JSON.stringify(explanation));
}

/** @throws WeirError invalid_json or invalid_request that names the field */
function parseExplained(road: Road, body: Buffer): { operation: Operation; facts: RequestFacts } {
  if (!scanner.scan(body, 0, body.length, { strictKeys: true }) || body[scanner.valueStart] !== 0x7b) {
    throw new WeirError('invalid_json', { message: 'The body must be a JSON object: {"path": "/v1/chat/completions", "request": {…}}.' });
  }
  const pathMember = scanner.findMember('path');
  const path: unknown = pathMember === -1 ? DEFAULT_PATH : scanner.parseMember(pathMember);
  const match = typeof path === 'string' ? road.routes.match(path) : null;
  if (match === null || (match.kind !== 'operation' && match.kind !== 'meshes')) {
    const known = OPERATION_DEFINITIONS.flatMap(({ paths }) => paths.slice(0, 1)).join(', ');
    throw new WeirError('invalid_request', { message: `Invalid 'path': it must be one of ${known}, or Azure's or Google's path of one.`, param: 'path' });
  }
  const requestMember = scanner.findMember('request');
  if (requestMember === -1) throw new WeirError('invalid_request', { message: "Missing required parameter: 'request'.", param: 'request' });
  if (scanner.memberFirstByte(requestMember) !== 0x7b) throw new WeirError('invalid_request', { message: "Invalid type for 'request': expected object.", param: 'request' });
  const inner = body.subarray(scanner.memberValueStart(requestMember), scanner.memberValueEnd(requestMember));
  return { operation: match, facts: match.definition.readFacts(inner, match.definition, match.place) };
}

async function toExplanation(road: Road, caller: Caller, { definition }: Operation, facts: RequestFacts, nowMs: number) {
  const about = {
    object: 'explanation',
    operation: definition.operation,
    model: scrubSecrets(facts.model),
    key: { public_id: caller.publicId, organization_id: caller.organizationId, project_id: caller.projectId },
  };
  const routes = tryRoutes(road, caller, definition.operation, facts.model);
  if (routes instanceof WeirError) return { ...about, ...toRefused(routes), route: null, estimate: null, limits: [] };
  const terms = toCallTerms(road, caller, facts, routes, nowMs);
  const { callPlan, estimate, isPriced } = terms;
  const demand: Demand = { requestId: 'explained', requests: 1, tokens: estimate.tokens, leastNanos: estimate.leastNanos, mostNanos: estimate.mostNanos };
  const use = await road.meter.use(callPlan.plan, demand);
  // In the order in which a call meets them.
  const refusal = road.ledger.hasRoom() ? (terms.refusal ?? findLimitRefusal(use)) : new WeirError('ledger_unavailable');
  const [asked, ...fallbacks] = routes;
  return {
    ...about,
    ...(refusal === null ? { admitted: true, refusal: null } : toRefused(refusal)),
    route: {
      model: asked.route.name,
      targets: toTargetViews(road, asked, nowMs),
      fallbacks: fallbacks.map((fallback) => ({ model: scrubSecrets(fallback.model), targets: toTargetViews(road, fallback, nowMs) })),
    },
    estimate: toEstimateView(estimate, isPriced),
    limits: toLimitTrace(use.admission),
  };
}

/** Where the call would go, or why nowhere. */
function tryRoutes({ pool }: Road, caller: Caller, operation: RequestFacts['operation'], model: string): readonly CallRoute[] | WeirError {
  try {
    return getCallRoutes(pool, caller, operation, model);
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
}

function findLimitRefusal({ admission, isKept }: PlanUse): WeirError | null {
  if (!isKept) return new WeirError('limits_unavailable');
  return admission.admitted ? null : toRefusal(admission);
}

function toRefused(error: WeirError): { admitted: false; refusal: Record<string, unknown> } {
  return { admitted: false, refusal: { status: error.status, code: error.code, message: error.message, retry_after_ms: error.retryAfterMs } };
}

function toTargetViews(road: Road, { route, model }: CallRoute, nowMs: number) {
  return route.targets.map((target) => {
    const upstreamModel = toUpstreamModel(target, route.name, model);
    const price = road.prices.findPrice(route, target, upstreamModel, nowMs);
    const rate: unknown = price === null ? null : JSON.parse(toTier(price, 0).rateJson);
    return { upstream: scrubSecrets(target.upstream.name), upstream_model: scrubSecrets(upstreamModel), weight: target.weight, enabled: target.upstream.enabled, price: rate };
  });
}

function toEstimateView(estimate: Estimate, isPriced: boolean) {
  const { inputTokens, outputTokens } = estimate.worstUsage;
  return {
    tokens: estimate.tokens,
    most_input_tokens: inputTokens,
    most_output_tokens: outputTokens,
    least_hold_usd: isPriced ? toUsdString(estimate.leastNanos) : null,
    most_cost_usd: isPriced ? toUsdString(estimate.mostNanos) : null,
  };
}
