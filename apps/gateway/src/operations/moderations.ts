import { readModerationFacts } from '../data-plane/facts/read-moderation-facts';
import { type OperationDefinition, toOpenAiPlaces } from './operation-definition';

/** Moderations: https://platform.openai.com/docs/api-reference/moderations */
export const moderations: OperationDefinition = {
  operation: 'moderations',
  format: 'openai-moderations',
  ...toOpenAiPlaces('/moderations'),
  canStream: false,
  answers: 'json',
  readFacts: readModerationFacts,
};
