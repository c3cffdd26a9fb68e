import { type Target } from './pool-contract';

/**
 * The model's name as the target's upstream knows it. A `*` at the end of it is what the `*` of the
 * route's name stands for, so that `gpt-*` at `gpt-*` sends the name that was asked for; a route
 * without one passes that name in the place of the `*`.
 */
export function toUpstreamModel(target: Pick<Target, 'upstreamModel'>, routeName: string, model: string): string {
  if (!target.upstreamModel.endsWith('*')) return target.upstreamModel;
  const rest = routeName.endsWith('*') ? model.slice(routeName.length - 1) : model;
  return target.upstreamModel.slice(0, -1) + rest;
}
