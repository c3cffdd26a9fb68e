import { readGeminiEmbedFacts } from '../data-plane/facts/read-gemini-embed-facts';
import { type OperationDefinition } from './operation-definition';

/** Google's `:embedContent`: https://ai.google.dev/api/embeddings */
export const embedContent: OperationDefinition = {
  operation: 'embeddings',
  format: 'gemini-embed',
  paths: [],
  deploymentPath: null,
  canStream: false,
  answers: 'json',
  readFacts: readGeminiEmbedFacts,
};
