import { readGeminiFacts } from '../data-plane/facts/read-gemini-facts';
import { type OperationDefinition } from './operation-definition';

/** Google's `:generateContent` and `:streamGenerateContent`: https://ai.google.dev/api/generate-content */
export const generateContent: OperationDefinition = {
  operation: 'chat',
  format: 'gemini',
  paths: [],
  deploymentPath: null,
  canStream: true,
  answers: 'json',
  readFacts: readGeminiFacts,
};
