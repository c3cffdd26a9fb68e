import { type BucketSum, type UsageMeasure } from '@weir/ledger';
import { type OpenAiQueryRules } from './open-ai-usage-query';
import { type OpenAiResult } from './open-ai-usage-page';

/** One of OpenAI's usage endpoints. */
export interface OpenAiUsageKind {
  /** Weir's operations that are counted there, also those of other dialects. */
  readonly operations: readonly string[];
  readonly groups: readonly string[];
  readonly toResult: (sums: Sums) => OpenAiResult;
}

/** What the answers are made of. */
export const OPEN_AI_SUMS = [
  'requests',
  'input_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'output_tokens',
  'images',
  'characters',
  'media_ms',
] as const satisfies readonly UsageMeasure[];
type Sums = BucketSum<(typeof OPEN_AI_SUMS)[number]>['sums'];

const GROUPS = ['project_id', 'user_id', 'api_key_id', 'model'];

export const OPEN_AI_USAGE_KINDS = {
  completions: {
    operations: ['chat', 'completions', 'responses', 'messages'],
    groups: [...GROUPS, 'batch', 'service_tier'],
    toResult: (sums) => ({
      object: 'organization.usage.completions.result',
      input_tokens: sums.input_tokens,
      output_tokens: sums.output_tokens,
      input_cached_tokens: sums.cached_input_tokens,
      input_cache_write_tokens: sums.cache_write_tokens,
      input_uncached_tokens: Math.max(sums.input_tokens - sums.cached_input_tokens - sums.cache_write_tokens, 0),
      // Weir does not count the tokens of sound apart.
      input_audio_tokens: 0,
      output_audio_tokens: 0,
      num_model_requests: sums.requests,
    }),
  },
  embeddings: {
    operations: ['embeddings'],
    groups: GROUPS,
    toResult: (sums) => ({ object: 'organization.usage.embeddings.result', input_tokens: sums.input_tokens, num_model_requests: sums.requests }),
  },
  moderations: {
    operations: ['moderations'],
    groups: GROUPS,
    toResult: (sums) => ({ object: 'organization.usage.moderations.result', input_tokens: sums.input_tokens, num_model_requests: sums.requests }),
  },
  images: {
    operations: ['image', 'images', 'image_edits'],
    groups: [...GROUPS, 'size', 'source'],
    toResult: (sums) => ({ object: 'organization.usage.images.result', images: sums.images, num_model_requests: sums.requests }),
  },
  audio_speeches: {
    operations: ['speech'],
    groups: GROUPS,
    toResult: (sums) => ({ object: 'organization.usage.audio_speeches.result', characters: sums.characters, num_model_requests: sums.requests }),
  },
  audio_transcriptions: {
    operations: ['transcription', 'transcriptions', 'translation', 'translations'],
    groups: GROUPS,
    toResult: (sums) => ({ object: 'organization.usage.audio_transcriptions.result', seconds: sums.media_ms / 1_000, num_model_requests: sums.requests }),
  },
} as const satisfies Record<string, OpenAiUsageKind>;

export const toUsageRules = (kind: OpenAiUsageKind): OpenAiQueryRules => ({
  widths: { '1m': { usual: 60, most: 1440 }, '1h': { usual: 24, most: 168 }, '1d': { usual: 7, most: 31 } },
  groups: kind.groups,
  names: 'models',
});

export const COSTS_RULES: OpenAiQueryRules = {
  widths: { '1d': { usual: 7, most: 180 } },
  groups: ['project_id', 'user_id', 'line_item', 'api_key_id'],
  names: 'line_items',
};

/**
 * What a result is grouped by: null where it is not, and where Weir records no such thing. Of batch
 * jobs it knows that there are none.
 */
export function toGroupFields(allowed: readonly string[], asked: readonly string[], groups: BucketSum<never>['groups']): OpenAiResult {
  const known: Readonly<Record<string, unknown>> = {
    project_id: groups.project,
    api_key_id: groups.key,
    model: groups.model,
    line_item: groups.model,
    batch: false,
  };
  return Object.fromEntries(allowed.map((name) => [name, asked.includes(name) ? (known[name] ?? null) : null]));
}
