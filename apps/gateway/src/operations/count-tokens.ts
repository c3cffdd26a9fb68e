import { readAnthropicFacts } from '../data-plane/facts/read-anthropic-facts';
import { type OperationDefinition } from './operation-definition';

/** Anthropic's token count: https://docs.anthropic.com/en/api/messages-count-tokens */
export const countTokens: OperationDefinition = {
  operation: 'chat',
  format: 'anthropic-count-tokens',
  paths: ['/v1/messages/count_tokens'],
  deploymentPath: null,
  canStream: false,
  answers: 'json',
  readFacts: readAnthropicFacts,
};
