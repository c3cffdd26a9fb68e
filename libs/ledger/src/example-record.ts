import { newId, type OrganizationId, type ProxyKeyId, uuidV7, zeroUsage } from '@weir/kernel';
import { type UsageRecord } from './usage-record';

const organizationId = newId<OrganizationId>();
const keyId = newId<ProxyKeyId>();
const atMs = Date.UTC(2026, 10, 20, 12, 0, 0, 123);

/** For specs: a record with a request id of its own, and what the spec says of it. */
export function toExampleRecord(own: Partial<UsageRecord> = {}): UsageRecord {
  return {
    requestId: uuidV7(own.atMs ?? atMs),
    attempt: 1,
    atMs,
    organizationId,
    projectId: null,
    keyId,
    operation: 'chat',
    model: 'gpt-simulated',
    upstreamId: null,
    upstreamKeyId: null,
    upstreamModel: 'gpt',
    status: 'succeeded',
    httpStatus: 200,
    errorCode: null,
    usage: { ...zeroUsage(), inputTokens: 10, cachedInputTokens: 4, outputTokens: 20, requests: 1 },
    estimated: false,
    costNanos: 1_500,
    rate: null,
    durationMs: 12.6,
    firstByteMs: 3.2,
    ...own,
  };
}
