import { type Secret } from '@weir/kernel';
import { openai } from '../openai/openai';
import { toOpenAiPath } from '../openai/openai-paths';
import { type Provider, type UpstreamAddress } from '../provider';

/** The newest dated version of the inference API that is generally available. */
export const DEFAULT_AZURE_API_VERSION = '2024-10-21';

const V1_PATH = '/openai/v1';

/**
 * Azure OpenAI (https://learn.microsoft.com/azure/ai-foundry/openai/reference). Two URL shapes: the
 * dated one names the deployment in the path; the v1 one takes it as `model`, like OpenAI. The v1
 * shape is used when the base URL ends in `/openai/v1` or the option `api_version` is `v1`.
 */
export const azure: Provider = {
  ...openai,
  name: 'azure',
  // Azure has its moderation in front of its models, not as a model.
  formats: {
    chat: openai.formats.chat,
    completions: openai.formats.completions,
    embeddings: openai.formats.embeddings,
    speech: openai.formats.speech,
    transcriptions: openai.formats.transcriptions,
    images: openai.formats.images,
  },
  toPath: (address, format, upstreamModel) => {
    const path = toOpenAiPath(format);
    const resource = toResourcePath(address);
    // The dated shape has no deployment for responses: they take the model in the body, at one address.
    if (usesV1(address) || format === 'openai-responses') return resource + V1_PATH + path;
    return `${resource}/openai/deployments/${toSegment(upstreamModel)}${path}?api-version=${encodeURIComponent(toApiVersion(address))}`;
  },
  toAuthorization: (secret) => (isEntraToken(secret) ? ['authorization', `Bearer ${secret.expose()}`] : ['api-key', secret.expose()]),
};

function usesV1(address: UpstreamAddress): boolean {
  return address.basePath.endsWith(V1_PATH) || toApiVersion(address) === 'v1';
}

function toApiVersion({ options }: UpstreamAddress): string {
  const version = options.api_version;
  return typeof version === 'string' && version !== '' ? version : DEFAULT_AZURE_API_VERSION;
}

/** The base path without what the URL shapes add: people paste the endpoint with and without `/openai`. */
function toResourcePath({ basePath }: UpstreamAddress): string {
  return basePath.replace(/\/openai(\/v1)?$/, '');
}

/** A caller may have chosen the name. Dots alone would climb out of the folder, however they are escaped. */
function toSegment(name: string): string {
  return /^\.{1,2}$/.test(name) ? '_' : encodeURIComponent(name);
}

/** Entra's tokens are JSON Web Tokens; Azure's keys have no dots, so the two cannot be mistaken. */
function isEntraToken(secret: Secret): boolean {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(secret.expose());
}
