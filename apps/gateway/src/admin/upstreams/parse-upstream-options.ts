import { WeirError } from '@weir/kernel';
import { type ProviderName } from '@weir/providers';
import { toShownField } from '../errors/to-validation-error';

interface OptionKind {
  readonly isValid: (value: unknown) => boolean;
  readonly words: string;
}

const FLAG: OptionKind = { isValid: (value) => typeof value === 'boolean', words: 'must be true or false' };
/** It becomes part of a URL. */
const API_VERSION: OptionKind = {
  isValid: (value) => typeof value === 'string' && /^[A-Za-z0-9.-]{1,40}$/.test(value),
  words: 'must be a version such as 2024-10-21 or v1',
};

/** What an Azure deployment's name does not tell: whose prices and limits apply. */
const BASE_MODEL: OptionKind = {
  isValid: (value) => typeof value === 'string' && /^[A-Za-z0-9._:/-]{1,128}$/.test(value),
  words: "must be a model's name such as gpt-4o",
};

const OPTIONS: Readonly<Record<ProviderName, Readonly<Record<string, OptionKind>>>> = {
  openai: { stream_usage: FLAG },
  azure: { api_version: API_VERSION, base_model: BASE_MODEL, stream_usage: FLAG },
  'openai-compatible': { no_key: FLAG, stream_usage: FLAG },
};

/**
 * Takes an upstream's provider options.
 * @throws WeirError invalid_request naming the option that the provider does not have, or its fault.
 */
export function parseUpstreamOptions(provider: ProviderName, options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kinds = OPTIONS[provider];
  for (const [name, value] of Object.entries(options)) {
    const param = toShownField(`options.${name}`);
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) throw new WeirError('invalid_request', { message: `The provider ${provider} has no ${param}.`, param });
    if (!kind.isValid(value)) throw new WeirError('invalid_request', { message: `The field ${param} is not valid: ${kind.words}.`, param });
  }
  return { ...options };
}
