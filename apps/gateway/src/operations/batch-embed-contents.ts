import { readGeminiEmbedFacts } from '../data-plane/facts/read-gemini-embed-facts';
import { type OperationDefinition } from './operation-definition';

/** Google's `:batchEmbedContents`: https://ai.google.dev/api/embeddings */
export const batchEmbedContents: OperationDefinition = {
  operation: 'embeddings',
  format: 'gemini-embed-batch',
  paths: [],
  deploymentPath: null,
  canStream: false,
  answers: 'json',
  readFacts: readGeminiEmbedFacts,
};
