import { getProvider, toUpstreamFormat } from '@weir/providers';
import { toTrellisRequest } from '@weir/wire';
import { type CallRoute } from '../call-routes';

/**
 * Checks what every upstream of the model would refuse, while the caller is still there to hear it.
 * @throws WeirError invalid_request that names the field
 */
export function checkMeshOptions(routes: readonly CallRoute[], body: unknown): void {
  const targets = routes.flatMap(({ route }) => route.targets);
  const formats = targets.map(({ upstream }) => toUpstreamFormat(getProvider(upstream.provider), 'meshes', 'meshes'));
  if (formats.length > 0 && formats.every((format) => format === 'trellis')) toTrellisRequest(body);
}
