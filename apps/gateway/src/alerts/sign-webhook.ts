import { createHmac } from 'node:crypto';
import { type Secret } from '@weir/kernel';

/** Of a length that HMAC-SHA-256 has use for, as the specification says. */
const SECRET = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/;

export interface SignedHeaders {
  readonly 'webhook-id': string;
  /** Seconds since the epoch: a receiver refuses what is too old. */
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

/**
 * Signs as Standard Webhooks says (https://www.standardwebhooks.com).
 * @returns null when the secret is not `whsec_` and base64
 */
export function signWebhook(secret: Secret, id: string, timestampSeconds: number, body: string): SignedHeaders | null {
  const encoded = SECRET.exec(secret.expose())?.[1];
  if (encoded === undefined) return null;
  const signature = createHmac('sha256', Buffer.from(encoded, 'base64')).update(`${id}.${timestampSeconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(timestampSeconds), 'webhook-signature': `v1,${signature}` };
}
