import { ApiProperty } from '@nestjs/swagger';
import { type ProviderName, PROVIDER_NAMES } from '@weir/providers';
import { type UpstreamDescription, type UpstreamEntity } from '@weir/upstreams';
import { Flag, Name, OneOf, OpenObject, PlainText, WholeNumber } from '../fields/fields';

const LONGEST_NAME = 200;
const LONGEST_URL = 2_000;
const LONGEST_TIMEOUT_MS = 3_600_000;
const MOST_CALLS = 1_000_000;
export const LARGEST_WEIGHT = 1_000_000;

const TIMEOUT = 'Null takes the installation’s.';
const CONCURRENCY = 'Open calls at once, shared by all processes; null is no limit. What is beyond it waits in a queue, fairly among organizations.';
const OPTIONS =
  'By provider: `api_version` and `base_model` (azure), `anthropic_version` (anthropic), `preset` (openai-compatible), `response_formats` (index-tts), `generate_path` (trellis), ' +
  '`no_key` (openai-compatible and servers of one’s own: called without a key), `stream_usage` (openai, azure, openai-compatible; false: do not ask it for the usage of streams), `drop_unsupported` (openai-compatible; true: members that the preset’s service refuses are taken out of requests that pass). ' +
  'All have `queue_timeout_ms` (the longest wait for a place, 30000 when not given; 0: none), `queue_length` (calls of one organization that may wait, 100 when not given), ' +
  '`probe_path` (asked by GET at the host’s root without a key, never what costs; the provider’s own when not given, empty for none), `probe_interval_ms` (10000 when not given), ' +
  '`proxy_paths` (where paths under `/proxy/` may begin, separated by commas, in place of the provider’s list) and `proxy_request_usd` (the price of a call there of which nobody knows the usage).';

export class CreateUpstream {
  @Name(LONGEST_NAME)
  name: string;

  @OneOf(PROVIDER_NAMES)
  provider: ProviderName;

  @PlainText(LONGEST_URL, { description: 'With the path, without the operation: `https://api.openai.com/v1`.' })
  base_url: string;

  @WholeNumber(1, LONGEST_TIMEOUT_MS, { optional: true, nullable: true, description: TIMEOUT })
  timeout_ms?: number | null;

  @WholeNumber(1, LONGEST_TIMEOUT_MS, { optional: true, nullable: true, description: TIMEOUT })
  stream_timeout_ms?: number | null;

  @WholeNumber(1, MOST_CALLS, { optional: true, nullable: true, description: CONCURRENCY })
  concurrency?: number | null;

  @WholeNumber(0, LARGEST_WEIGHT, { optional: true, description: 'Its share of the calls; 100 when not given, 0 for none.' })
  weight?: number;

  @Flag({ optional: true })
  enabled?: boolean;

  @OpenObject({ optional: true, description: OPTIONS })
  options?: Record<string, unknown>;
}

export class UpdateUpstream {
  @Name(LONGEST_NAME, { optional: true })
  name?: string;

  @PlainText(LONGEST_URL, { optional: true, description: 'Another scheme, host or port demands `secrets`.' })
  base_url?: string;

  @OpenObject({
    optional: true,
    description: 'The secret of each of its keys, by key id, when `base_url` moves to another host: a secret is bound to the host it was given for.',
    api: { type: 'object', additionalProperties: { type: 'string' }, writeOnly: true },
  })
  secrets?: Record<string, unknown>;

  @WholeNumber(1, LONGEST_TIMEOUT_MS, { optional: true, nullable: true, description: TIMEOUT })
  timeout_ms?: number | null;

  @WholeNumber(1, LONGEST_TIMEOUT_MS, { optional: true, nullable: true, description: TIMEOUT })
  stream_timeout_ms?: number | null;

  @WholeNumber(1, MOST_CALLS, { optional: true, nullable: true, description: CONCURRENCY })
  concurrency?: number | null;

  @WholeNumber(0, LARGEST_WEIGHT, { optional: true })
  weight?: number;

  @Flag({ optional: true })
  enabled?: boolean;

  @OpenObject({ optional: true, description: `${OPTIONS} Replaces all of them.` })
  options?: Record<string, unknown>;
}

export class UpstreamProbeView {
  @ApiProperty({ enum: ['reachable', 'unwell', 'unreachable'] })
  status: 'reachable' | 'unwell' | 'unreachable';

  @ApiProperty({ type: 'integer' })
  latency_ms: number;

  @ApiProperty({ type: String, format: 'date-time' })
  at: string;
}

export class UpstreamStateView {
  @ApiProperty({ enum: ['closed', 'open', 'half_open'] })
  breaker: 'closed' | 'open' | 'half_open';

  @ApiProperty({ type: 'integer', description: 'How long until an open breaker lets a call try; 0 when it is not open.' })
  breaker_retry_after_ms: number;

  @ApiProperty({ type: 'integer' })
  open_calls: number;

  @ApiProperty({ type: 'integer', nullable: true, description: 'This process’s share of `concurrency`.' })
  places: number | null;

  @ApiProperty({ type: 'integer', description: 'Calls that wait for a place.' })
  waiting_calls: number;

  @ApiProperty({ type: UpstreamProbeView, nullable: true, description: 'What its health probe said last; null where there is none yet.' })
  probe: UpstreamProbeView | null;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'integer' }, description: 'How many of its keys are in which status.' })
  keys: Record<string, number>;
}

/** What an admin wrote of an upstream: this is what the audit log compares. */
export class UpstreamFieldsView {
  @ApiProperty({ enum: ['upstream'] })
  object: 'upstream';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String })
  name: string;

  @ApiProperty({ enum: [...PROVIDER_NAMES] })
  provider: string;

  @ApiProperty({ type: String })
  base_url: string;

  @ApiProperty({ type: 'integer', nullable: true })
  timeout_ms: number | null;

  @ApiProperty({ type: 'integer', nullable: true })
  stream_timeout_ms: number | null;

  @ApiProperty({ type: 'integer', nullable: true })
  concurrency: number | null;

  @ApiProperty({ type: 'integer' })
  weight: number;

  @ApiProperty({ type: Boolean })
  enabled: boolean;

  @ApiProperty({ type: 'object', additionalProperties: true })
  options: Record<string, unknown>;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at: string;
}

export class UpstreamView extends UpstreamFieldsView {
  @ApiProperty({ type: UpstreamStateView, nullable: true, description: 'As this process sees it; null while it does not know the upstream yet.' })
  state: UpstreamStateView | null;
}

export function toUpstreamFieldsView(upstream: UpstreamEntity): UpstreamFieldsView {
  return {
    object: 'upstream',
    id: upstream.id,
    name: upstream.name,
    provider: upstream.provider,
    base_url: upstream.baseUrl,
    timeout_ms: upstream.timeoutMs,
    stream_timeout_ms: upstream.streamTimeoutMs,
    concurrency: upstream.concurrency,
    weight: upstream.weight,
    enabled: upstream.enabled,
    options: upstream.options,
    created_at: upstream.createdAt.toISOString(),
    updated_at: upstream.updatedAt.toISOString(),
  };
}

export function toUpstreamStateView(description: UpstreamDescription): UpstreamStateView {
  const { probe } = description;
  return {
    breaker: description.breaker.state,
    breaker_retry_after_ms: description.breaker.retryAfterMs,
    open_calls: description.openCalls,
    places: description.places,
    waiting_calls: description.queue.waiting,
    probe: probe === null ? null : { status: probe.status, latency_ms: probe.latencyMs, at: new Date(probe.atMs).toISOString() },
    keys: { ...description.keyCounts },
  };
}
