import { readTranscriptionFacts } from '../data-plane/facts/read-form-facts';
import { MAX_TEXT_BYTES } from '../data-plane/multipart/multipart-form';
import { type FormDefinition, type OperationDefinition, refuseJson, toOpenAiPlaces } from './operation-definition';

/** gpt-4o-transcribe-diarize is shown up to so many voices. */
const MOST_REFERENCES = 4;
/** A data URI of ten seconds, the longest that it takes, in the largest usual form: 48 kHz, 16 bit, stereo. */
const REFERENCE_BYTES = 2.5 * 1024 * 1024;

const form: FormDefinition = {
  parts: {
    parts: new Map([
      ['file', { kind: 'file', isRequired: true }],
      ['model', { kind: 'text' }],
      ['timestamp_granularities[]', { kind: 'text', mayRepeat: true }],
      ['include[]', { kind: 'text', mayRepeat: true }],
      ['known_speaker_names[]', { kind: 'text', mayRepeat: true }],
      ['known_speaker_references[]', { kind: 'text', mayRepeat: true, maxBytes: REFERENCE_BYTES }],
    ]),
    isOpen: true,
    maxTextBytes: MOST_REFERENCES * REFERENCE_BYTES + MAX_TEXT_BYTES,
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
