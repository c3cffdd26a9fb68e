import { readOpenAiFacts } from '../data-plane/facts/read-openai-facts';
import { type OperationDefinition, requireMember, toOpenAiPlaces } from './operation-definition';

/** Embeddings: https://platform.openai.com/docs/api-reference/embeddings */
export const embeddings: OperationDefinition = {
  operation: 'embeddings',
  format: 'openai-embeddings',
  ...toOpenAiPlaces('/embeddings'),
  canStream: false,
  answers: 'json',
  readFacts: readOpenAiFacts,
  checkBody: (body) => requireMember(body, 'input', ['string', 'array']),
};
