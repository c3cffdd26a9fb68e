import { readRerankFacts } from '../data-plane/facts/read-rerank-facts';
import { type OperationDefinition } from './operation-definition';

/** Rerank, in Cohere's and Jina's shapes: https://docs.cohere.com/reference/rerank */
export const rerank: OperationDefinition = {
  operation: 'rerank',
  format: 'rerank',
  paths: ['/rerank', '/v1/rerank', '/v2/rerank'],
  deploymentPath: null,
  canStream: false,
  answers: 'json',
  readFacts: readRerankFacts,
};
