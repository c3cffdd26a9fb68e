import { type OpenAiError } from '../../openai-error-body';
import { type ConversationError, type ErrorKind } from '../conversation';

const TYPES: Readonly<Record<ErrorKind, string>> = {
  invalid_request: 'invalid_request_error',
  authentication: 'invalid_request_error',
  permission: 'invalid_request_error',
  not_found: 'invalid_request_error',
  conflict: 'invalid_request_error',
  too_large: 'invalid_request_error',
  rate_limit: 'requests',
  quota: 'insufficient_quota',
  overloaded: 'server_error',
  timeout: 'server_error',
  server: 'server_error',
};

/** OpenAI's codes for what other dialects say by kind alone. */
const CODES: Readonly<Partial<Record<ErrorKind, string>>> = {
  authentication: 'invalid_api_key',
  rate_limit: 'rate_limit_exceeded',
  quota: 'insufficient_quota',
};

/** An error in OpenAI's words, for toErrorBody and toErrorEvent. */
export function toChatError({ kind, message, code, param }: ConversationError): OpenAiError {
  return { message, type: TYPES[kind], param, code: code ?? CODES[kind] ?? null };
}
