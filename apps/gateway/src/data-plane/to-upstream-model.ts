import { type Target } from '@weir/upstreams';

/**
 * The model's name as the target's upstream knows it. A target `*` sends what the `*` of the route's
 * name stands for; a route without one passes the name that was asked for.
 */
export function toUpstreamModel(target: Target, routeName: string, model: string): string {
  if (target.upstreamModel !== '*') return target.upstreamModel;
  return routeName.endsWith('*') ? model.slice(routeName.length - 1) : model;
}
