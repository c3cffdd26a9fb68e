import { type UpstreamKeyId } from '@weir/kernel';

/**
 * Why an envelope does not open:
 * - `malformed`: it is not an envelope of ours
 * - `unknown_encryption_key`: the ring does not hold the key that wrapped it
 * - `not_authentic`: it was altered, or belongs to another row, upstream or host. Cryptography
 *   cannot tell these apart: each changes what was authenticated.
 */
export type UnreadableReason = 'malformed' | 'unknown_encryption_key' | 'not_authentic';

const MESSAGES: Readonly<Record<UnreadableReason, string>> = {
  malformed: 'its envelope is malformed',
  unknown_encryption_key: 'the key ring does not hold the key that encrypted it',
  not_authentic: 'its envelope was altered, or belongs to another row, upstream or host',
};

/** An upstream key that cannot be decrypted. Names the row, and nothing secret. */
export class UpstreamKeyUnreadable extends Error {
  constructor(
    readonly upstreamKeyId: UpstreamKeyId,
    readonly reason: UnreadableReason,
  ) {
    super(`upstream key ${upstreamKeyId} cannot be read: ${MESSAGES[reason]}`);
    this.name = 'UpstreamKeyUnreadable';
  }
}
