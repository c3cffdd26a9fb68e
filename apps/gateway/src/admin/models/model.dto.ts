import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { type Operation, OPERATIONS } from '@weir/kernel';
import { PRICE_FIELDS } from '@weir/ledger';
import { AFFINITIES, type ModelEntity, type ModelTargetEntity, STRATEGIES } from '@weir/upstreams';
import { Id, Name, NameList, Nested, NestedList, OneOf, OpenObject, WholeNumber } from '../fields/fields';
import { UNREADABLE } from '../limits/budget.dto';
import { LIMITS_STAY, MODEL_LIMITS, ScopeLimitsInput, ScopeLimitsView, toScopeLimitsView } from '../limits/scope-limits.dto';
import { LARGEST_WEIGHT } from '../upstreams/upstream.dto';

const LONGEST_NAME = 256;
const MOST_TARGETS = 100;
const LARGEST_PRIORITY = 1_000;
const MOST_FALLBACKS = 8;
const DEFAULT_WEIGHT = 100;

const NAME = 'What callers ask for. With a `*` at its end it stands for every name that begins so.';
const STRATEGY =
  'How a target is chosen among those of the lowest priority number that can take the call. `weighted` (when not given): at random by weight; `least-busy`: the least open calls for its weight and places; ' +
  '`lowest-latency`: the faster of two drawn by weight; `lowest-cost`: the cheapest, unpriced last; `priority`: the first as they are written.';
const FALLBACKS =
  'Models that may answer in its place when none of its targets can, the first one first; of the same operation, and only for callers whose key permits them. Their own fallbacks follow, at most three deep.';
const AFFINITY =
  '`session`: calls of one session go to the same target and key, where a cache may have their prompt; `none` when not given.';
const PRICE =
  'In dollars. It takes the place of the whole price of the price table; null takes the table’s. ' +
  'Cached and written input without a price of its own costs what input costs; anything else that is not named is free. ' +
  'A model without any price is refused where a budget applies: `{"per_request_usd": 0}` makes it free on purpose.';
/** A string spares a decimal the way through a floating-point number. */
const PRICE_API: ApiPropertyOptions = {
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(
    PRICE_FIELDS.map(({ name, largestUsd }) => [
      name,
      { nullable: true, oneOf: [{ type: 'number', minimum: 0, maximum: largestUsd }, { type: 'string', pattern: '^\\d+(\\.\\d+)?$' }] },
    ]),
  ),
};

export class TargetInput {
  @Id()
  upstream_id: string;

  @Name(LONGEST_NAME, { description: 'The upstream’s name for the model (Azure: the deployment); `*` sends what the model’s own `*` stood for.' })
  upstream_model: string;

  @WholeNumber(0, LARGEST_WEIGHT, { optional: true, description: 'Its share among targets of one priority; 100 when not given.' })
  weight?: number;

  @WholeNumber(0, LARGEST_PRIORITY, { optional: true, description: 'The lowest is tried first; 0 when not given.' })
  priority?: number;
}

export class CreateModel {
  @Name(LONGEST_NAME, { description: NAME })
  name: string;

  @OneOf(OPERATIONS)
  operation: Operation;

  @OneOf(STRATEGIES, { optional: true, description: STRATEGY })
  strategy?: string;

  @NameList(MOST_FALLBACKS, LONGEST_NAME, { optional: true, description: FALLBACKS })
  fallbacks?: string[];

  @OneOf(AFFINITIES, { optional: true, description: AFFINITY })
  affinity?: string;

  @NestedList(() => TargetInput, 1, MOST_TARGETS)
  targets: TargetInput[];

  @Nested(() => ScopeLimitsInput, { optional: true, nullable: true, description: MODEL_LIMITS })
  limits?: ScopeLimitsInput | null;

  @OpenObject({ optional: true, nullable: true, description: PRICE, api: PRICE_API })
  price?: Record<string, unknown> | null;
}

export class UpdateModel {
  @Name(LONGEST_NAME, { optional: true, description: NAME })
  name?: string;

  @OneOf(OPERATIONS, { optional: true })
  operation?: Operation;

  @OneOf(STRATEGIES, { optional: true, description: STRATEGY })
  strategy?: string;

  @NameList(MOST_FALLBACKS, LONGEST_NAME, { optional: true, description: FALLBACKS })
  fallbacks?: string[];

  @OneOf(AFFINITIES, { optional: true, description: AFFINITY })
  affinity?: string;

  @NestedList(() => TargetInput, 1, MOST_TARGETS, { optional: true, description: 'Replaces all of them.' })
  targets?: TargetInput[];

  @Nested(() => ScopeLimitsInput, { optional: true, nullable: true, description: `${MODEL_LIMITS} ${LIMITS_STAY}` })
  limits?: ScopeLimitsInput | null;

  @OpenObject({ optional: true, nullable: true, description: PRICE, api: PRICE_API })
  price?: Record<string, unknown> | null;
}

export class TargetView {
  @ApiProperty({ type: String, format: 'uuid' })
  upstream_id: string;

  @ApiProperty({ type: String })
  upstream_model: string;

  @ApiProperty({ type: 'integer' })
  weight: number;

  @ApiProperty({ type: 'integer' })
  priority: number;
}

export class ModelView {
  @ApiProperty({ enum: ['model'] })
  object: 'model';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String })
  name: string;

  @ApiProperty({ enum: [...OPERATIONS] })
  operation: string;

  @ApiProperty({ enum: [...STRATEGIES] })
  strategy: string;

  @ApiProperty({ type: [String] })
  fallbacks: string[];

  @ApiProperty({ enum: [...AFFINITIES] })
  affinity: string;

  @ApiProperty({ type: [TargetView] })
  targets: TargetView[];

  @ApiProperty({ type: ScopeLimitsView, nullable: true, description: UNREADABLE })
  limits: ScopeLimitsView | null;

  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true })
  price: Record<string, unknown> | null;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at: string;
}

export function toTargetView(target: TargetInput): TargetView {
  const { upstream_id, upstream_model, weight = DEFAULT_WEIGHT, priority = 0 } = target;
  return { upstream_id, upstream_model, weight, priority };
}

export function toModelView(model: ModelEntity, targets: readonly ModelTargetEntity[]): ModelView {
  return {
    object: 'model',
    id: model.id,
    name: model.name,
    operation: model.operation,
    strategy: model.strategy,
    fallbacks: model.fallbacks,
    affinity: model.affinity,
    targets: targets
      .toSorted((one, other) => one.position - other.position)
      .map((target) => ({
        upstream_id: target.upstreamId,
        upstream_model: target.upstreamModel,
        weight: target.weight,
        priority: target.priority,
      })),
    limits: toScopeLimitsView(model.limits),
    price: model.price,
    created_at: model.createdAt.toISOString(),
    updated_at: model.updatedAt.toISOString(),
  };
}
