import { readAnthropicFacts } from '../data-plane/facts/read-anthropic-facts';
import { type OperationDefinition } from './operation-definition';

/** Anthropic's messages: https://docs.anthropic.com/en/api/messages */
export const messages: OperationDefinition = {
  operation: 'chat',
  format: 'anthropic',
  paths: ['/v1/messages'],
  deploymentPath: null,
  canStream: true,
  answers: 'json',
  readFacts: readAnthropicFacts,
};
