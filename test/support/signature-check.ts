import { createHash, createHmac } from 'node:crypto';
import { type IncomingMessage } from 'node:http';

const EMPTY_SHA256 = createHash('sha256').digest('hex');
const AUTHORIZATION = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
/** What a request must have under its signature. */
const MUST_BE_SIGNED = ['host', 'x-amz-content-sha256', 'x-amz-date'];

export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

/**
 * Checks a request's signature, version 4, as S3 does, after
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and without the SDK.
 * @returns S3's error code; null when it is right
 */
export function findSignatureFault(request: IncomingMessage, body: Buffer, keys: SigningKeys): string | null {
  const found = AUTHORIZATION.exec(request.headers.authorization ?? '');
  if (found === null) return 'AccessDenied';
  const [, accessKeyId, date, region, names, signature] = found;
  if (accessKeyId !== keys.accessKeyId) return 'InvalidAccessKeyId';
  if (region !== keys.region) return 'AuthorizationHeaderMalformed';
  const signed = names.split(';');
  const sent = request.headers['x-amz-content-sha256'];
  if (!MUST_BE_SIGNED.every((name) => signed.includes(name)) || typeof sent !== 'string') return 'AccessDenied';
  const sha256 = body.length === 0 ? EMPTY_SHA256 : createHash('sha256').update(body).digest('hex');
  if (sent !== sha256) return 'XAmzContentSHA256Mismatch';
  return signature === sign(toCanonicalRequest(request, signed, sent), String(request.headers['x-amz-date']), date, keys) ? null : 'SignatureDoesNotMatch';
}

function toCanonicalRequest(request: IncomingMessage, signed: readonly string[], sha256: string): string {
  const url = new URL(request.url ?? '', 'http://s3');
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  const headers = signed.map((name) => `${name}:${String(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`);
  const path = url.pathname.split('/').map((part) => encode(decodeURIComponent(part))).join('/');
  return [request.method, path, query.join('&'), headers.join(''), signed.join(';'), sha256].join('\n');
}

function sign(canonical: string, time: string, date: string, { secretAccessKey, region }: SigningKeys): string {
  const hashed = createHash('sha256').update(canonical).digest('hex');
  const text = ['AWS4-HMAC-SHA256', time, `${date}/${region}/s3/aws4_request`, hashed].join('\n');
  const key = [date, region, 's3', 'aws4_request'].reduce<Buffer>((last, part) => createHmac('sha256', last).update(part).digest(), Buffer.from(`AWS4${secretAccessKey}`));
  return createHmac('sha256', key).update(text).digest('hex');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
