import { readImagesFacts } from '../data-plane/facts/read-images-facts';
import { type OperationDefinition, toOpenAiPlaces } from './operation-definition';

/** Pictures: https://platform.openai.com/docs/api-reference/images/create */
export const images: OperationDefinition = {
  operation: 'images',
  format: 'openai-images',
  ...toOpenAiPlaces('/images/generations'),
  canStream: true,
  answers: 'json',
  readFacts: readImagesFacts,
};
