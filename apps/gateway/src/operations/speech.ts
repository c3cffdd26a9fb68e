import { readSpeechFacts } from '../data-plane/facts/read-speech-facts';
import { type OperationDefinition, toOpenAiPlaces } from './operation-definition';

/** Speech: https://platform.openai.com/docs/api-reference/audio/createSpeech */
export const speech: OperationDefinition = {
  operation: 'speech',
  format: 'openai-speech',
  ...toOpenAiPlaces('/audio/speech'),
  canStream: true,
  answers: 'bytes',
  readFacts: readSpeechFacts,
};
