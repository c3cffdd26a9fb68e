import { OPERATION_DEFINITIONS, type OperationDefinition } from '../operations';
import { batchEmbedContents } from '../operations/batch-embed-contents';
import { embedContent } from '../operations/embed-content';
import { generateContent } from '../operations/generate-content';
import { type FactsPlace, type ModelDefaults } from './facts/request-facts';
import { matchMeshPath, type MeshPath } from './meshes/match-mesh-path';
import { isProxyPath } from './proxy/match-proxy-path';
import { toProxyFormat } from './proxy/proxy-format';
import { matchVoicePath, type VoicePath } from './voices/match-voice-path';

/** What a path of the data plane means. */
export type RouteMatch =
  | { readonly kind: 'operation'; readonly definition: OperationDefinition; readonly place: FactsPlace }
  /** A provider's own API. */
  | { readonly kind: 'proxy'; readonly definition: OperationDefinition; readonly place: FactsPlace }
  | { readonly kind: 'models'; /** Null lists them. */ readonly model: string | null }
  | { readonly kind: 'voices'; readonly path: VoicePath }
  /** Where meshes are made and listed. */
  | { readonly kind: 'meshes'; readonly definition: OperationDefinition; readonly place: FactsPlace; readonly isShort: boolean }
  | { readonly kind: 'mesh'; readonly path: MeshPath }
  | { readonly kind: 'explain' }
  | { readonly kind: 'health' }
  | { readonly kind: 'unknown' };

const DEPLOYMENTS = '/openai/deployments/';
/** Google's clients of today call `v1`, those of before `v1beta`. */
const GOOGLE_MODELS = ['/v1beta/models/', '/v1/models/', '/v1alpha/models/'];
const GOOGLE_VERBS: ReadonlyMap<string, { readonly definition: OperationDefinition; readonly isStream: boolean }> = new Map([
  ['generateContent', { definition: generateContent, isStream: false }],
  ['streamGenerateContent', { definition: generateContent, isStream: true }],
  ['embedContent', { definition: embedContent, isStream: false }],
  ['batchEmbedContents', { definition: batchEmbedContents, isStream: false }],
]);
const UNKNOWN: RouteMatch = { kind: 'unknown' };
const HEALTH: RouteMatch = { kind: 'health' };
const MODEL_LIST: RouteMatch = { kind: 'models', model: null };
const MODEL_PREFIXES = ['/v1/models', '/openai/v1/models'] as const;

const HEALTH_PATHS = ['/health', '/health/all', '/health/liveliness', '/health/readiness', '/livez', '/readyz'];

/** Which operation a path asks for. */
export class RouteTable {
  readonly #byPath = new Map<string, RouteMatch>();
  readonly #byDeploymentPath = new Map<string, OperationDefinition>();
  readonly #defaults: ModelDefaults;
  readonly #place: FactsPlace;

  constructor(defaults: ModelDefaults) {
    this.#defaults = defaults;
    const place = { model: null, isStream: null, defaults };
    this.#place = place;
    for (const definition of OPERATION_DEFINITIONS) {
      for (const path of definition.paths) this.#byPath.set(path, toMatch(definition, place, path));
      if (definition.deploymentPath !== null) this.#byDeploymentPath.set(definition.deploymentPath, definition);
    }
    this.#byPath.set('/v1/explain', { kind: 'explain' });
    for (const path of HEALTH_PATHS) this.#byPath.set(path, HEALTH);
    for (const path of MODEL_PREFIXES) this.#byPath.set(path, MODEL_LIST);
  }

  /** Finds what a request's URL asks for; the query plays no part. Never throws. */
  match(url: string): RouteMatch {
    // Most are asked for by their whole URL.
    const known = this.#byPath.get(url);
    if (known !== undefined) return known;
    const query = url.indexOf('?');
    const path = query === -1 ? url : url.slice(0, query);
    if (isProxyPath(path)) return { kind: 'proxy', definition: toProxyFormat(path), place: this.#place };
    return this.#byPath.get(path) ?? this.#matchDeployment(path) ?? this.#matchGoogle(path) ?? matchModel(path) ?? matchVoices(path) ?? matchMesh(path) ?? UNKNOWN;
  }

  #matchDeployment(path: string): RouteMatch | null {
    if (!path.startsWith(DEPLOYMENTS)) return null;
    const slash = path.indexOf('/', DEPLOYMENTS.length);
    if (slash === -1) return null;
    const definition = this.#byDeploymentPath.get(path.slice(slash));
    const model = decodeSegment(path.slice(DEPLOYMENTS.length, slash));
    return definition === undefined || model === null ? null : this.#toOperation(definition, model, null);
  }

  /** Google's paths end in the model and what it is to do; a model's name may contain slashes and colons. */
  #matchGoogle(path: string): RouteMatch | null {
    const colon = path.lastIndexOf(':');
    const prefix = colon === -1 ? undefined : GOOGLE_MODELS.find((models) => path.startsWith(models));
    if (prefix === undefined) return null;
    const verb = GOOGLE_VERBS.get(path.slice(colon + 1));
    const model = decodeSegment(path.slice(prefix.length, colon));
    return verb === undefined || model === null ? null : this.#toOperation(verb.definition, model, verb.isStream);
  }

  #toOperation(definition: OperationDefinition, model: string, isStream: boolean | null): RouteMatch {
    return { kind: 'operation', definition, place: { model, isStream, defaults: this.#defaults } };
  }
}

function matchVoices(path: string): RouteMatch | null {
  const voices = matchVoicePath(path);
  return voices === null ? null : { kind: 'voices', path: voices };
}

/** Meshes take longer than a caller waits: what asks for one makes a job. */
function toMatch(definition: OperationDefinition, place: FactsPlace, path: string): RouteMatch {
  return definition.operation === 'meshes' ? { kind: 'meshes', definition, place, isShort: !path.startsWith('/v1/') } : { kind: 'operation', definition, place };
}

function matchMesh(path: string): RouteMatch | null {
  const mesh = matchMeshPath(path);
  return mesh === null ? null : { kind: 'mesh', path: mesh };
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
