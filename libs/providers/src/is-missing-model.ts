import { type ProviderFailure } from './provider';

/**
 * Whether an upstream says that it does not have the model. Its class is `caller`: nothing is wrong
 * with the upstream or the key, and where the caller chose the upstream's name (a target `*`),
 * anybody could provoke it at will. Where an admin named the model of the target, it is the admin's
 * mistake, or a model that is not loaded yet: then another target may still serve.
 */
export function isMissingModel({ failureClass, code }: ProviderFailure): boolean {
  return failureClass === 'caller' && (code === 'model_not_found' || code === 'DeploymentNotFound');
}
