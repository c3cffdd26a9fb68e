import { type Caller } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { takesGpuTime } from '@weir/ledger';
import { type Configuration } from '@weir/platform';
import { type CallPlan, type CallPlans } from './call-plans';
import { type CallRoute } from './call-routes';
import { Estimate } from './estimate';
import { type RequestFacts } from './facts/request-facts';
import { type RoutePrices } from './route-prices';

/** On what terms a request is taken: for the call itself, and for the explanation of one. */
export interface CallTerms {
  readonly callPlan: CallPlan;
  readonly estimate: Estimate;
  /** False where a place that the call may go to has no price. */
  readonly isPriced: boolean;
  /** Why no limit is asked at all; null when they are. */
  readonly refusal: WeirError | null;
}

/** What the road knows that terms depend on. */
interface TermsRoad {
  readonly prices: RoutePrices;
  readonly plans: CallPlans;
  readonly configuration: Pick<Configuration, 'requestTimeoutMs' | 'streamTimeoutMs'>;
}

/**
 * @param routes the model that was asked for, whose limits apply, and those that may answer in its place
 * @param atMs when the request began
 */
export function toCallTerms(road: TermsRoad, caller: Caller, facts: RequestFacts, routes: readonly CallRoute[], atMs: number): CallTerms {
  const [{ route }] = routes;
  const bounds = road.prices.getWorstBounds(routes, atMs);
  // A provider's own API is called under no model's name.
  const callPlan = road.plans.get(caller, route.operation === 'proxy' ? null : route, facts.model, atMs);
  const isPriced = bounds.price !== null;
  return {
    callPlan,
    estimate: new Estimate(facts, bounds, takesGpuTime(bounds.price) ? toLongestMs(facts, routes, road) : 0),
    isPriced,
    refusal: callPlan.counters.length === 0 ? null : findBudgetRefusal(facts, routes, isPriced),
  };
}

/** What cannot be used under a budget, because nobody could say what it will cost. */
function findBudgetRefusal(facts: RequestFacts, routes: readonly CallRoute[], isPriced: boolean): WeirError | null {
  if (!isPriced) return new WeirError('model_not_priced', { message: 'The model has no price, so that it cannot be used under a budget.', param: 'model' });
  if (facts.operation === 'proxy' && facts.streamUsageSplice !== null) {
    // Thinking that is not shown could not be counted.
    return new WeirError('invalid_request', { message: "Under a budget, 'stream_options.include_usage' must be true here.", param: 'stream_options.include_usage' });
  }
  // A price of the model's own is its owner's word for all that its calls cost.
  if (facts.unpricedMember === null || routes.every(({ route: { price } }) => price !== null)) return null;
  const message = `The parameter '${facts.unpricedMember}' costs what the price of tokens does not cover, so that it cannot be used under a budget.`;
  return new WeirError('invalid_request', { message, param: facts.unpricedMember });
}

/** The longest that an attempt may take: its time on a GPU is held for all of it. */
function toLongestMs({ isStream }: RequestFacts, routes: readonly CallRoute[], { configuration }: TermsRoad): number {
  const targets = routes.flatMap(({ route }) => route.targets);
  const timeouts = targets.map(({ upstream }) =>
    isStream ? (upstream.streamTimeoutMs ?? configuration.streamTimeoutMs) : (upstream.timeoutMs ?? configuration.requestTimeoutMs),
  );
  return Math.max(0, ...timeouts);
}
