import { type KeyRing, openBytes, sealBytes } from '@weir/vault';
import { type KeptAnswer } from './answer-capture';
import { type RecordPlace, type StoredAnswer } from './idempotency-store';

/** Seals the body to its row and request, and to the status and headers beside it: none can be exchanged alone. */
export async function sealAnswer(ring: KeyRing, place: RecordPlace, requestHash: Buffer, answer: KeptAnswer): Promise<StoredAnswer> {
  const { status, headers } = answer;
  return { status, headers, body: await sealBytes(ring, answer.body, toPlace(place, requestHash, answer)) };
}

/** @throws SealedBytesUnreadable */
export function openAnswer(ring: KeyRing, place: RecordPlace, found: { readonly requestHash: Buffer; readonly answer: StoredAnswer }): Promise<Buffer> {
  return openBytes(ring, found.answer.body, toPlace(place, found.requestHash, found.answer));
}

/** Unambiguous: everything before the JSON has a fixed length. */
function toPlace({ keyId, nameHash }: RecordPlace, requestHash: Buffer, { status, headers }: Pick<KeptAnswer, 'status' | 'headers'>): string {
  return `weir/idempotency/v1|${keyId}|${nameHash.toString('hex')}|${requestHash.toString('hex')}|${JSON.stringify([status, headers])}`;
}
