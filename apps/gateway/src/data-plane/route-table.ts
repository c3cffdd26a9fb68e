import { OPERATION_DEFINITIONS, type OperationDefinition } from '../operations';

/** What a path of the data plane means. */
export type RouteMatch =
  | { readonly kind: 'operation'; readonly definition: OperationDefinition; /** Azure's path names the model. */ readonly deployment: string | null }
  | { readonly kind: 'models'; /** Null lists them. */ readonly model: string | null }
  | { readonly kind: 'explain' }
  | { readonly kind: 'health' }
  | { readonly kind: 'unknown' };

const DEPLOYMENTS = '/openai/deployments/';
const UNKNOWN: RouteMatch = { kind: 'unknown' };
const HEALTH: RouteMatch = { kind: 'health' };
const MODEL_LIST: RouteMatch = { kind: 'models', model: null };
const MODEL_PREFIXES = ['/v1/models', '/openai/v1/models'] as const;

const HEALTH_PATHS = ['/health', '/health/all', '/health/liveliness', '/health/readiness', '/livez', '/readyz'];

const byPath = new Map<string, RouteMatch>();
const byDeploymentPath = new Map<string, OperationDefinition>();
for (const definition of OPERATION_DEFINITIONS) {
  const match: RouteMatch = { kind: 'operation', definition, deployment: null };
  byPath.set(`/v1${definition.path}`, match);
  byPath.set(`/openai/v1${definition.path}`, match);
  byDeploymentPath.set(definition.path, definition);
}
byPath.set('/v1/explain', { kind: 'explain' });
for (const path of HEALTH_PATHS) byPath.set(path, HEALTH);
for (const path of MODEL_PREFIXES) byPath.set(path, MODEL_LIST);

/** Finds what a request's URL asks for; the query plays no part. Never throws. */
export function matchRoute(url: string): RouteMatch {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  return byPath.get(path) ?? matchDeployment(path) ?? matchModel(path) ?? UNKNOWN;
}

function matchDeployment(path: string): RouteMatch | null {
  if (!path.startsWith(DEPLOYMENTS)) return null;
  const slash = path.indexOf('/', DEPLOYMENTS.length);
  if (slash === -1) return null;
  const definition = byDeploymentPath.get(path.slice(slash));
  const deployment = decodeSegment(path.slice(DEPLOYMENTS.length, slash));
  return definition === undefined || deployment === null ? null : { kind: 'operation', definition, deployment };
}

/** A model's name may contain slashes, written plainly or escaped. */
function matchModel(path: string): RouteMatch | null {
  for (const prefix of MODEL_PREFIXES) {
    if (path.startsWith(`${prefix}/`)) {
      const model = decodeSegment(path.slice(prefix.length + 1));
      return model === null ? null : { kind: 'models', model };
    }
  }
  return null;
}

function decodeSegment(segment: string): string | null {
  if (segment === '') return null;
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
