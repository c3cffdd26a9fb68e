import { readOpenAiFacts } from '../data-plane/facts/read-openai-facts';
import { requireMember } from '../data-plane/facts/require-member';
import { type OperationDefinition, toOpenAiPlaces } from './operation-definition';

/** Chat completions: https://platform.openai.com/docs/api-reference/chat */
export const chat: OperationDefinition = {
  operation: 'chat',
  format: 'openai-chat',
  ...toOpenAiPlaces('/chat/completions'),
  canStream: true,
  answers: 'json',
  readFacts: readOpenAiFacts,
  checkBody: (body) => requireMember(body, 'messages', ['array']),
};
