import { Secret } from '@weir/kernel';
import { type KeyRing } from './key-ring';
import { openBytes, readSealingKeyId, sealBytes } from './sealed-bytes';

/** Encrypts small secrets of Weir's own, such as one that signs a webhook, for whoever must not hold the ring. */
export class SealedTexts {
  constructor(private readonly ring: KeyRing) {}

  /** @param place what it belongs to, unambiguously: `purpose/v1|row id`. It opens at its place only. */
  seal(text: Secret, place: string): Promise<Buffer> {
    return sealBytes(this.ring, new TextEncoder().encode(text.expose()), place);
  }

  /** @throws SealedBytesUnreadable */
  async open(sealed: Buffer, place: string): Promise<Secret> {
    return new Secret((await openBytes(this.ring, sealed, place)).toString('utf8'));
  }

  /** Whether the key that writes now has sealed it; otherwise an older key must stay in the ring. @throws SealedBytesUnreadable when malformed. */
  isCurrent(sealed: Buffer): boolean {
    return readSealingKeyId(sealed) === this.ring.writingKeyId;
  }
}
