import { readTranscriptionFacts } from '../data-plane/facts/read-form-facts';
import { type FormDefinition, type OperationDefinition, refuseJson, toOpenAiPlaces } from './operation-definition';

const form: FormDefinition = {
  parts: {
    parts: new Map([
      ['file', { kind: 'file', isRequired: true }],
      ['model', { kind: 'text' }],
      ['timestamp_granularities[]', { kind: 'text', mayRepeat: true }],
      ['include[]', { kind: 'text', mayRepeat: true }],
      ['known_speaker_names[]', { kind: 'text', mayRepeat: true }],
      ['known_speaker_references[]', { kind: 'text', mayRepeat: true, maxBytes: 64 * 1024 }],
    ]),
    isOpen: true,
  },
  readFacts: readTranscriptionFacts,
};

/** Speech to text: https://platform.openai.com/docs/api-reference/audio/createTranscription */
export const transcriptions: OperationDefinition = {
  operation: 'transcriptions',
  format: 'openai-transcriptions',
  ...toOpenAiPlaces('/audio/transcriptions'),
  canStream: true,
  answers: 'text',
  readFacts: refuseJson,
  form,
};

/** Speech to English text: https://platform.openai.com/docs/api-reference/audio/createTranslation */
export const translations: OperationDefinition = {
  ...transcriptions,
  format: 'openai-translations',
  ...toOpenAiPlaces('/audio/translations'),
  canStream: false,
};
