import { type Configuration } from '@weir/platform';
import { type Place } from '../apply/declaration';
import { type Backend, type Backends } from '../apply/file-schema';
import { BACKEND_NAMES, type BackendName, KNOWN_BACKENDS, type KnownBackend } from '../apply/known-backends';

/**
 * The GPU services that the environment names (EMBED_SERVER_1, PORT_SIGLIP2, QWEN3_TTS_URL, …), as
 * `backends` of weir.yaml would say it. A machine that is not set has no services.
 */
export function toGpuBackends({ gpu }: Pick<Configuration, 'gpu'>): Backends {
  const backends: Partial<Record<BackendName, Backend>> = {};
  for (const name of BACKEND_NAMES) {
    const url = findUrl(KNOWN_BACKENDS[name], gpu);
    if (url !== null) backends[name] = { url };
  }
  return backends;
}

/** In messages a service of the environment stands at its variable. */
export function toGpuPlace(name: BackendName): Place {
  const { variables }: KnownBackend = KNOWN_BACKENDS[name];
  const variable = 'url' in variables ? variables.url : variables.host;
  return (field) => (field === null || field === 'url' ? `${variable} (${name})` : `${variable} (${name}, ${field})`);
}

function findUrl({ variables }: KnownBackend, gpu: Configuration['gpu']): string | null {
  if ('url' in variables) return gpu.urls[variables.url];
  const host = gpu.hosts[variables.host];
  return host === null ? null : toUrl(host, gpu.ports[variables.port]);
}

function toUrl(host: string, port: number): string {
  const [, scheme = 'http://', name = ''] = /^(https?:\/\/)?(.*)$/.exec(host) ?? [];
  const bracketed = name.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
  return `${scheme}${bracketed}:${port}`;
}
