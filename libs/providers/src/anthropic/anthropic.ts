import { type WireFormat } from '@weir/wire';
import { type Provider, type UpstreamAddress } from '../provider';
import { readAnthropicFailure } from './anthropic-failure';

/** The one version there is: https://platform.claude.com/docs/en/api/versioning */
export const DEFAULT_ANTHROPIC_VERSION = '2023-06-01';

const PATHS: Readonly<Partial<Record<WireFormat, string>>> = {
  anthropic: '/messages',
  'anthropic-count-tokens': '/messages/count_tokens',
};

/**
 * Anthropic's API (https://platform.claude.com/docs/en/api), and others that speak it: the base URL
 * may end in `/v1` or not.
 */
export const anthropic: Provider = {
  name: 'anthropic',
  formats: { chat: ['anthropic', 'anthropic-count-tokens'] },
  passedHeaders: ['anthropic-version', 'anthropic-beta'],
  toPath: ({ basePath }, format) => {
    const path = PATHS[format];
    if (path === undefined) throw new Error(`no path for ${format}`);
    return (basePath.endsWith('/v1') ? basePath : `${basePath}/v1`) + path;
  },
  toAuthorization: (secret) => ['x-api-key', secret.expose()],
  toHeaders: (address) => ['anthropic-version', toVersion(address)],
  toChatQuirks: () => ({}),
  toSpeechQuirks: () => null,
  toHealthPath: () => null,
  readFailure: readAnthropicFailure,
};

function toVersion({ options }: UpstreamAddress): string {
  const version = options.anthropic_version;
  return typeof version === 'string' && version !== '' ? version : DEFAULT_ANTHROPIC_VERSION;
}
