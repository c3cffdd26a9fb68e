import { WeirError } from '@weir/kernel';
import { type JsonScanner } from '@weir/wire';
import { readOpenAiFacts } from '../data-plane/facts/read-openai-facts';
import { requireMember } from '../data-plane/facts/require-member';
import { type OperationDefinition, toOpenAiPlaces } from './operation-definition';

/** Embeddings: https://platform.openai.com/docs/api-reference/embeddings */
export const embeddings: OperationDefinition = {
  operation: 'embeddings',
  format: 'openai-embeddings',
  ...toOpenAiPlaces('/embeddings'),
  canStream: false,
  answers: 'json',
  readFacts: readOpenAiFacts,
  checkBody(body) {
    requireMember(body, 'input', ['string', 'array']);
    refuseOtherModality(body);
  },
};

/** Infinity takes texts of another modality for URLs, and fetches them from inside the operator's network. */
function refuseOtherModality(body: JsonScanner): void {
  const member = body.findMember('modality');
  if (member === -1) return;
  const modality = body.parseMember(member);
  if (modality === null || modality === 'text') return;
  throw new WeirError('invalid_request', { message: "Invalid 'modality': it must be text here. Send pictures as {\"image\": …} to a model that takes them.", param: 'modality' });
}
