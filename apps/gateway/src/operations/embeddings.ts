import { type OperationDefinition, requireMember } from './operation-definition';

/** Embeddings: https://platform.openai.com/docs/api-reference/embeddings */
export const embeddings: OperationDefinition = {
  operation: 'embeddings',
  path: '/embeddings',
  canStream: false,
  checkBody: (body) => requireMember(body, 'input', ['string', 'array']),
};
