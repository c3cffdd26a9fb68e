import { type ModelId, type Operation, OPERATIONS, parseId, readStoredScopeLimits, type ScopeLimits, type UpstreamId } from '@weir/kernel';
import { isProviderName } from '@weir/providers';
import { type DataSource } from 'typeorm';
import { BaseUrlError, parseBaseUrl } from './base-url';
import { toAffinity, toStrategy } from './strategy';
import { type ModelInput, type OpenedKey, type PoolSnapshot, type TargetInput, type UpstreamInput } from './pool-snapshot';

/** Opens the keys of these upstreams; the vault's work. A key that cannot be opened is left out by it. */
export type OpenKeys = (origins: ReadonlyMap<UpstreamId, string>) => Promise<readonly OpenedKey[]>;

/** What the loader needs of a log. */
export interface LoaderLog {
  warn(fields: object, message: string): void;
}

type Row = Readonly<Record<string, unknown>>;

interface Rows {
  upstreams: Row[];
  models: Row[];
  targets: Row[];
}

class BadRowError extends Error {}

const UPSTREAMS_SQL = `
  SELECT id, name, provider, base_url, timeout_ms, stream_timeout_ms, concurrency, weight, enabled, options
  FROM upstreams ORDER BY id`;
const MODELS_SQL = 'SELECT id, name, operation, strategy, affinity, fallbacks, limits, price FROM models ORDER BY id';
const TARGETS_SQL = `
  SELECT id, model_id, upstream_id, upstream_model, weight, priority
  FROM model_targets ORDER BY model_id, priority, position, id`;

/** Reads what the pool runs on. A row that cannot be used is logged and left out; the others serve. */
export class SnapshotLoader {
  readonly #dataSource: DataSource;
  readonly #openKeys: OpenKeys;
  readonly #log: LoaderLog;

  constructor(dataSource: DataSource, openKeys: OpenKeys, log: LoaderLog) {
    this.#dataSource = dataSource;
    this.#openKeys = openKeys;
    this.#log = log;
  }

  /** @throws when the database cannot be read; then the snapshot in use should stay. */
  async load(): Promise<PoolSnapshot> {
    const rows = await this.#read();
    const upstreams = this.#parseAll(rows.upstreams, 'upstream', toUpstream);
    const keys = await this.#openKeys(new Map(upstreams.map(({ id, address }) => [id, address.origin])));
    const targets = Map.groupBy(this.#parseAll(rows.targets, 'model_target', toTarget), ({ modelId }) => modelId);
    const models = this.#parseAll(rows.models, 'model', (row) => toModel(row, targets));
    return { upstreams, keys, models };
  }

  /** One transaction, so that no model is read without the targets that were written with it. */
  #read(): Promise<Rows> {
    return this.#dataSource.transaction('REPEATABLE READ', async (manager) => ({
      upstreams: await manager.query<Row[]>(UPSTREAMS_SQL),
      models: await manager.query<Row[]>(MODELS_SQL),
      targets: await manager.query<Row[]>(TARGETS_SQL),
    }));
  }

  #parseAll<Parsed>(rows: readonly Row[], kind: string, parse: (row: Row) => Parsed): Parsed[] {
    const parsed: Parsed[] = [];
    for (const row of rows) {
      try {
        parsed.push(parse(row));
      } catch (error) {
        if (!(error instanceof BadRowError || error instanceof BaseUrlError || error instanceof TypeError)) throw error;
        this.#log.warn({ kind, objectId: row.id, err: error }, 'a row cannot be used and is left out of the pool');
      }
    }
    return parsed;
  }
}

function toUpstream(row: Row): UpstreamInput {
  const { provider } = row;
  if (!isProviderName(provider)) throw new BadRowError('provider is unknown');
  return {
    id: parseId<UpstreamId>(row.id),
    name: parseText(row.name, 'name'),
    provider,
    address: { ...parseBaseUrl(row.base_url), options: parseOptions(row.options) },
    timeoutMs: parsePositiveOrNull(row.timeout_ms, 'timeout_ms'),
    streamTimeoutMs: parsePositiveOrNull(row.stream_timeout_ms, 'stream_timeout_ms'),
    concurrency: parsePositiveOrNull(row.concurrency, 'concurrency'),
    weight: parseWeight(row.weight),
    enabled: row.enabled === true,
  };
}

function toTarget(row: Row): TargetInput & { modelId: ModelId } {
  return {
    modelId: parseId<ModelId>(row.model_id),
    upstreamId: parseId<UpstreamId>(row.upstream_id),
    upstreamModel: parseText(row.upstream_model, 'upstream_model'),
    weight: parseWeight(row.weight),
    priority: parseInteger(row.priority, 'priority'),
  };
}

function toModel(row: Row, targets: ReadonlyMap<ModelId, readonly TargetInput[]>): ModelInput {
  const id = parseId<ModelId>(row.id);
  return {
    id,
    name: parseText(row.name, 'name'),
    operation: parseOperation(row.operation),
    strategy: toStrategy(row.strategy),
    affinity: toAffinity(row.affinity),
    fallbacks: parseTexts(row.fallbacks, 'fallbacks'),
    limits: parseLimits(row.limits),
    price: row.price ?? null,
    targets: targets.get(id) ?? [],
  };
}

function parseText(value: unknown, column: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new BadRowError(`${column} is not a text`);
}

function parseTexts(value: unknown, column: string): string[] {
  if (!Array.isArray(value)) throw new BadRowError(`${column} is not a list`);
  return value.map((text) => parseText(text, column));
}

function parseInteger(value: unknown, column: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new BadRowError(`${column} is not an integer`);
}

function parseWeight(value: unknown): number {
  const weight = parseInteger(value, 'weight');
  if (weight < 0) throw new BadRowError('weight is negative');
  return weight;
}

function parsePositiveOrNull(value: unknown, column: string): number | null {
  if (value === null || value === undefined) return null;
  const number = parseInteger(value, column);
  if (number <= 0) throw new BadRowError(`${column} is not positive`);
  return number;
}

function parseOptions(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadRowError('options is not an object');
  return Object.fromEntries(Object.entries(value));
}

/** A limit that cannot be read must not become none: the model is left out. */
function parseLimits(value: unknown): ScopeLimits {
  try {
    return readStoredScopeLimits(value);
  } catch (error) {
    throw new BadRowError('limits cannot be read', { cause: error });
  }
}

function parseOperation(value: unknown): Operation {
  const operation = OPERATIONS.find((known) => known === value);
  if (operation === undefined) throw new BadRowError('operation is unknown');
  return operation;
}
