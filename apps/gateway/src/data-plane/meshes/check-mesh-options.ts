import { type Caller, mayUseModel } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { getProvider, toUpstreamFormat } from '@weir/providers';
import { scrubSecrets } from '@weir/platform';
import { toTrellisRequest } from '@weir/wire';
import { type CallRoute, toCallRoutes } from '../call-routes';
import { type Road } from '../road';

/**
 * The model that makes the mesh, and those that may do it in its place.
 * @throws WeirError model_not_found or model_not_allowed
 */
export function planMesh({ pool }: Pick<Road, 'pool'>, caller: Caller, model: string): readonly CallRoute[] {
  const route = pool.findRoute(model);
  if (route === null || route.operation !== 'meshes') {
    throw new WeirError('model_not_found', { message: `The model '${scrubSecrets(model)}' does not exist or does not serve this operation.`, param: 'model' });
  }
  if (!mayUseModel(caller, model)) {
    throw new WeirError('model_not_allowed', { message: `This key may not use the model '${scrubSecrets(model)}'.`, param: 'model' });
  }
  return toCallRoutes(pool, caller, route, model);
}

/**
 * Checks what every upstream of the model would refuse, while the caller is still there to hear it.
 * @throws WeirError invalid_request that names the field
 */
export function checkMeshOptions(routes: readonly CallRoute[], body: unknown): void {
  const targets = routes.flatMap(({ route }) => route.targets);
  const formats = targets.map(({ upstream }) => toUpstreamFormat(getProvider(upstream.provider), 'meshes', 'meshes'));
  if (formats.length > 0 && formats.every((format) => format === 'trellis')) toTrellisRequest(body);
}
