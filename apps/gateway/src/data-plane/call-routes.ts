import { type Caller, mayUseModel } from '@weir/access';
import { type Operation, WeirError } from '@weir/kernel';
import { scrubSecrets } from '@weir/platform';
import { type ModelRoute, type UpstreamPool } from '@weir/upstreams';

/** A model that may answer a call, and the name to ask it by. */
export interface CallRoute {
  readonly route: ModelRoute;
  readonly model: string;
}

/**
 * The model that was asked for, and those of its fallbacks that the caller may use.
 * @throws WeirError model_not_found or model_not_allowed
 */
export function getCallRoutes(pool: Pick<UpstreamPool, 'findRoute' | 'findFallbacks'>, caller: Caller, operation: Operation, model: string): readonly CallRoute[] {
  const route = pool.findRoute(model);
  if (route === null || route.operation !== operation) {
    throw new WeirError('model_not_found', { message: `The model '${scrubSecrets(model)}' does not exist or does not serve this operation.`, param: 'model' });
  }
  if (!mayUseModel(caller, model)) {
    throw new WeirError('model_not_allowed', { message: `This key may not use the model '${scrubSecrets(model)}'.`, param: 'model' });
  }
  const asked: CallRoute = { route, model };
  const fallbacks = pool.findFallbacks(route);
  if (fallbacks.length === 0) return [asked];
  return [asked, ...fallbacks.filter((fallback) => mayUseModel(caller, fallback.model))];
}
