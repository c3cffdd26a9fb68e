import { readChatUsage } from '@weir/wire';
import { OPENAI_PATHS } from '../openai/openai-paths';
import { readOpenAiFailure } from '../openai/openai-failure';
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
  name: 'azure',
  toPath: (address, operation, upstreamModel) => {
    const path = OPENAI_PATHS[operation];
    const resource = toResourcePath(address);
    if (usesV1(address)) return resource + V1_PATH + path;
    return `${resource}/openai/deployments/${encodeURIComponent(upstreamModel)}${path}?api-version=${encodeURIComponent(toApiVersion(address))}`;
  },
  toAuthorization: (secret) => ['api-key', secret.expose()],
  readFailure: readOpenAiFailure,
  readUsage: readChatUsage,
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
