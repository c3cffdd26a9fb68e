import { readImageEditFacts } from '../data-plane/facts/read-form-facts';
import { type OperationDefinition, refuseJson, toOpenAiPlaces } from './operation-definition';

/** Pictures made of pictures: https://platform.openai.com/docs/api-reference/images/createEdit */
export const imageEdits: OperationDefinition = {
  operation: 'images',
  format: 'openai-image-edits',
  ...toOpenAiPlaces('/images/edits'),
  canStream: true,
  answers: 'json',
  readFacts: refuseJson,
  form: {
    parts: {
      parts: new Map([
        ['image', { kind: 'file', mayRepeat: true }],
        ['image[]', { kind: 'file', mayRepeat: true }],
        ['mask', { kind: 'file' }],
        ['prompt', { kind: 'text', isRequired: true, maxBytes: 64 * 1024 }],
      ]),
      isOpen: true,
    },
    readFacts: readImageEditFacts,
  },
};
