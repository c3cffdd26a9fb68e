import { readResponsesFacts } from '../data-plane/facts/read-responses-facts';
import { type OperationDefinition, toOpenAiPlaces } from './operation-definition';

/** OpenAI's responses: https://platform.openai.com/docs/api-reference/responses */
export const responses: OperationDefinition = {
  operation: 'chat',
  format: 'openai-responses',
  ...toOpenAiPlaces('/responses'),
  canStream: true,
  answers: 'json',
  readFacts: readResponsesFacts,
};
