import { type OperationDefinition } from '../../operations';

const DEPLOYMENTS = '/openai/deployments/';
const MODELS = '/models/';

/**
 * The pattern of the path that a call came by, without anything that the caller chose.
 * @param url of a request that the route table has matched to the operation
 */
export function toHttpRoute({ operation, paths, deploymentPath }: Pick<OperationDefinition, 'operation' | 'paths' | 'deploymentPath'>, url: string): string {
  if (operation === 'proxy') return '/proxy/{provider}/*';
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  if (paths.includes(path)) return path;
  if (path.startsWith(DEPLOYMENTS)) return `${DEPLOYMENTS}{deployment}${deploymentPath ?? ''}`;
  const models = path.indexOf(MODELS);
  // A mesh's job, and whatever comes after it.
  if (models === -1) return paths[0] ?? '/';
  // Google's: a version, a model, and what it is to do.
  return `${path.slice(0, models + MODELS.length)}{model}${path.slice(path.lastIndexOf(':'))}`;
}
