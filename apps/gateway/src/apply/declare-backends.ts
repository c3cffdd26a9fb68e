import { ConfigurationError } from '@weir/platform';
import { isProviderName, type ProviderName } from '@weir/providers';
import { CreateModel } from '../admin/models/model.dto';
import { CreateUpstream } from '../admin/upstreams/upstream.dto';
import { type DeclaredModel, type DeclaredUpstream, type Origin, type Place } from './declaration';
import { type Backend, type Backends } from './file-schema';
import { type BackendName, isBackendName, type KnownBackend, findTimeoutMs, KNOWN_BACKENDS, toBackendPath } from './known-backends';
import { parseTimeout } from './parse-timeout';
import { toDto } from './to-dto';
import { toKnownOptions } from './to-known-options';

/** A backend is an upstream and a model. */
export interface DeclaredBackends {
  readonly upstreams: readonly DeclaredUpstream[];
  readonly models: readonly DeclaredModel[];
}

/** Only so that a target's other fields can be checked before its upstream has an id. */
export const UNKNOWN_UPSTREAM = '00000000-0000-0000-0000-000000000000';

/** One's own machine: without a price its models would be refused wherever a budget applies. */
const FREE = { per_request_usd: 0 };

/** @throws ConfigurationError that names the place */
export async function declareBackends(backends: Backends, origin: Origin, toPlace: (name: BackendName) => Place): Promise<DeclaredBackends> {
  const upstreams: DeclaredUpstream[] = [];
  const models: DeclaredModel[] = [];
  for (const [name, backend] of Object.entries(backends)) {
    if (backend === undefined || !isBackendName(name)) continue;
    const place = toPlace(name);
    const provider = getProviderName(name, backend, place);
    const upstream = await declareUpstream(name, backend, provider, { origin, place });
    upstreams.push(upstream);
    if (upstream.isWanted) models.push(await declareModel(name, backend, { origin, place }));
  }
  return { upstreams, models };
}

type Where = { readonly origin: Origin; readonly place: Place };

async function declareUpstream(name: BackendName, backend: Backend, provider: ProviderName, where: Where): Promise<DeclaredUpstream> {
  const { enabled = true, url, timeout } = backend;
  const timeoutMs = timeout === undefined ? findTimeoutMs(name) : parseTimeout(timeout);
  if (timeoutMs === null) throw new ConfigurationError(`${where.place('timeout')}: must be seconds, or a text such as 30s, of at most an hour`);
  if (enabled && url === undefined) throw new ConfigurationError(`${where.place('url')}: is missing`);
  const written = {
    name,
    provider,
    ...(url === undefined ? {} : { base_url: toBaseUrl(url, provider) }),
    ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs, stream_timeout_ms: timeoutMs }),
    enabled,
    options: toKnownOptions(provider, { no_key: true, ...getOptions(name) }),
  };
  if (!enabled) return { fields: Object.assign(new CreateUpstream(), { name, provider, enabled }), keys: [], isWanted: false, ...where };
  const place: Place = (field) => where.place(field === 'base_url' ? 'url' : field);
  return { fields: await toDto(CreateUpstream, written, place), keys: [], isWanted: true, origin: where.origin, place };
}

async function declareModel(name: BackendName, backend: Backend, where: Where): Promise<DeclaredModel> {
  const { model, operation, upstreamModel } = KNOWN_BACKENDS[name];
  const upstream_model = backend.upstream_model ?? upstreamModel;
  const written = { name: model, operation, price: backend.price ?? FREE, targets: [{ upstream_id: UNKNOWN_UPSTREAM, upstream_model }] };
  const { targets: _, ...fields } = await toDto(CreateModel, written, where.place);
  return { fields, targets: [{ upstream: name, upstreamModel: upstream_model }], manner: 'offered', ...where };
}

function getProviderName(name: BackendName, backend: Backend, place: Place): ProviderName {
  const provider: string = backend.provider ?? KNOWN_BACKENDS[name].provider;
  if (isProviderName(provider)) return provider;
  throw new ConfigurationError(`${place(null)}: this version has no provider ${provider}`);
}

function getOptions(name: BackendName): Readonly<Record<string, unknown>> {
  const { options = {} }: KnownBackend = KNOWN_BACKENDS[name];
  return options;
}

/** With a path it is taken as it is. */
function toBaseUrl(url: string, provider: ProviderName): string {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.pathname !== '/' || parsed.search !== '' || parsed.hash !== '') return url;
  return url.replace(/\/+$/, '') + toBackendPath(provider);
}
