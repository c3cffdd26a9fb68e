import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export interface TestCertificate {
  /** PEM; self-signed, for 127.0.0.1 and localhost, so it is also the authority to trust. */
  readonly certificate: string;
  readonly privateKey: string;
}

const VALID_MS = 24 * 3_600_000;
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME = [0x55, 0x04, 0x03];
const SUBJECT_ALTERNATIVE_NAME = [0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];

/** One DER value: tag, length, content. */
function der(tag: number, ...contents: (Buffer | number[])[]): Buffer {
  const content = Buffer.concat(contents.map((one) => Buffer.from(one)));
  const { length } = content;
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

const sequence = (...contents: Buffer[]): Buffer => der(0x30, ...contents);
const toUtcTime = (atMs: number): Buffer =>
  der(0x17, Buffer.from(`${new Date(atMs).toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`));
const extension = (id: number[], value: Buffer): Buffer => sequence(der(0x06, id), der(0x04, value));

/** A certificate made on the spot: none that is kept in a repository can expire there or be taken for a real one. */
export function createTestCertificate(): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = sequence(der(0x06, ECDSA_WITH_SHA256));
  const name = sequence(der(0x31, sequence(der(0x06, COMMON_NAME), der(0x0c, Buffer.from('weir test')))));
  const alternativeNames = sequence(der(0x82, Buffer.from('localhost')), der(0x87, [127, 0, 0, 1]));
  const nowMs = Date.now();
  const content = sequence(
    der(0xa0, der(0x02, [2])),
    // Positive and not zero, whatever the random bytes are.
    der(0x02, [0x01], randomBytes(8)),
    algorithm,
    name,
    sequence(toUtcTime(nowMs - VALID_MS), toUtcTime(nowMs + VALID_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(
        extension(SUBJECT_ALTERNATIVE_NAME, alternativeNames),
        extension(BASIC_CONSTRAINTS, sequence(der(0x01, [0xff]))),
      ),
    ),
  );
  const signature = sign('sha256', content, privateKey);
  const certificate = sequence(content, algorithm, der(0x03, [0], signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
