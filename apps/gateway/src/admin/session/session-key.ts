import { hkdfSync } from 'node:crypto';

const KEY_BYTES = 32;
const PURPOSE = 'weir admin session v1';

/** The key that signs sessions. A class, so that it shows nothing when it is logged. */
export class SessionKey {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Derived from the installation's secret, so that no two uses of that secret share a key. */
  static derive(installationSecret: string): SessionKey {
    if (installationSecret.length < KEY_BYTES) throw new TypeError('the installation secret is too short');
    return new SessionKey(new Uint8Array(hkdfSync('sha256', installationSecret, '', PURPOSE, KEY_BYTES)));
  }

  expose(): Uint8Array {
    return this.#bytes;
  }
}
