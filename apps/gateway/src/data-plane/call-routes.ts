import { type Caller, mayUseModel } from '@weir/access';
import { type ModelRoute, type UpstreamPool } from '@weir/upstreams';

/** A model that may answer a call, and the name to ask it by. */
export interface CallRoute {
  readonly route: ModelRoute;
  readonly model: string;
}

/** The model that was asked for, and those of its fallbacks that the caller may use. */
export function toCallRoutes(pool: Pick<UpstreamPool, 'findFallbacks'>, caller: Caller, route: ModelRoute, model: string): readonly CallRoute[] {
  const asked: CallRoute = { route, model };
  const fallbacks = pool.findFallbacks(route);
  if (fallbacks.length === 0) return [asked];
  return [asked, ...fallbacks.filter((fallback) => mayUseModel(caller, fallback.model))];
}
