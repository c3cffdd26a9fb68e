import { readOpenAiFacts } from '../data-plane/facts/read-openai-facts';
import { requireMember } from '../data-plane/facts/require-member';
import { type OperationDefinition, toOpenAiPlaces } from './operation-definition';

/** The older text completions: https://platform.openai.com/docs/api-reference/completions */
export const completions: OperationDefinition = {
  operation: 'completions',
  format: 'openai-completions',
  ...toOpenAiPlaces('/completions'),
  canStream: true,
  answers: 'json',
  readFacts: readOpenAiFacts,
  checkBody: (body) => requireMember(body, 'prompt', ['string', 'array']),
};
