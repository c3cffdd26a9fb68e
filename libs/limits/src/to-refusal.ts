import { toUsdString, WeirError } from '@weir/kernel';
import { type Admission, type BudgetLimit, type LimitScope, type LimitState, type WindowName } from './meter-store';

const WINDOW_WORDS: Record<WindowName, string> = {
  requests_per_minute: 'requests per minute',
  requests_per_day: 'requests per day',
  tokens_per_minute: 'tokens per minute',
  throttled_requests: 'requests',
  throttled_block: 'requests',
};

const SCOPE_WORDS: Record<LimitScope, string> = {
  key: 'this key',
  project: 'this project',
  organization: 'this organization',
  model: 'this model',
  control_plane: 'the control plane',
};

/** A call may end at any time: waiting until a lease expires would be waiting for one that is dead. */
const CONCURRENCY_RETRY_AFTER_MS = 1_000;

/** What a caller is told who was not admitted: which limit, how much of it is used, when to come back. */
export function toRefusal(admission: Extract<Admission, { admitted: false }>): WeirError {
  const { limit, used, resetMs } = admission.refused;
  switch (limit.kind) {
    case 'window':
      return toWindowRefusal(`${WINDOW_WORDS[limit.name]} of ${SCOPE_WORDS[limit.scope]}: limit ${limit.limit}, used ${used}`, limit.unit, resetMs);
    case 'lease':
      return new WeirError('rate_limit_exceeded', {
        message: `Too many requests of ${SCOPE_WORDS[limit.scope]} are open at the same time: limit ${limit.limit}, open ${used}. Try again when one has ended.`,
        retryAfterMs: Math.min(resetMs, CONCURRENCY_RETRY_AFTER_MS),
      });
    case 'budget':
      return toBudgetRefusal(limit, used, resetMs);
  }
}

function toWindowRefusal(words: string, type: string, resetMs: number): WeirError {
  if (!Number.isFinite(resetMs)) {
    return new WeirError('rate_limit_exceeded', { type, message: `This request is larger than the limit for ${words}.` });
  }
  return new WeirError('rate_limit_exceeded', {
    type,
    message: `Rate limit reached for ${words}. Try again in ${toWords(resetMs)}.`,
    retryAfterMs: resetMs,
  });
}

function toBudgetRefusal(limit: BudgetLimit, used: number, resetMs: number): WeirError {
  const ofModel = limit.model === null ? '' : ` for ${limit.model}`;
  const name = limit.period === 'total' ? `The total budget of ${SCOPE_WORDS[limit.scope]}${ofModel}` : `The budget of ${SCOPE_WORDS[limit.scope]}${ofModel} for this ${limit.period}`;
  const money = `limit $${toUsdString(limit.limit)}, spent and held $${toUsdString(used)}`;
  const ends = limit.span.toMs === null ? 'It does not renew.' : `A new ${limit.period} begins at ${new Date(limit.span.toMs).toISOString()}.`;
  return new WeirError('budget_exceeded', {
    message: `${name} does not afford this request: ${money}. ${ends}`,
    retryAfterMs: Number.isFinite(resetMs) ? resetMs : undefined,
  });
}

/** Rounded up: who waits for so long is admitted. */
function toWords(durationMs: number): string {
  if (durationMs < 1000) return `${Math.ceil(durationMs)} ms`;
  const seconds = Math.ceil(durationMs / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.ceil(durationMs / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** One limit of a decision, as it is shown in the body of a 429 and by `POST /v1/explain`. Ready for JSON. */
export interface LimitTraceEntry {
  readonly limit: string;
  readonly scope: LimitScope;
  readonly subject: string;
  readonly model?: string;
  readonly period?: string;
  readonly unit: 'requests' | 'tokens' | 'open_requests' | 'nanos';
  /** In the unit. */
  readonly max: number;
  readonly used: number;
  readonly remaining: number;
  readonly max_usd?: string;
  readonly used_usd?: string;
  readonly remaining_usd?: string;
  /** Null: never. */
  readonly resets_in_ms: number | null;
  readonly refused?: true;
}

/** The decision on every limit of a plan; marked is the one that the refusal names. */
export function toLimitTrace(admission: Admission): LimitTraceEntry[] {
  return admission.states.map((state) => toTraceEntry(state, !admission.admitted && state === admission.refused));
}

function toTraceEntry({ limit, used, remaining, resetMs }: LimitState, isRefused: boolean): LimitTraceEntry {
  const common = { limit: limit.name, scope: limit.scope, subject: limit.subject };
  const numbers = { max: limit.limit, used, remaining };
  const end = { resets_in_ms: Number.isFinite(resetMs) ? Math.ceil(resetMs) : null, ...(isRefused ? { refused: true as const } : null) };
  switch (limit.kind) {
    case 'window':
      return { ...common, unit: limit.unit, ...numbers, ...end };
    case 'lease':
      return { ...common, unit: 'open_requests', ...numbers, ...end };
    case 'budget':
      return {
        ...common,
        ...(limit.model === null ? null : { model: limit.model }),
        period: limit.period,
        unit: 'nanos',
        ...numbers,
        max_usd: toUsdString(limit.limit),
        used_usd: toUsdString(used),
        remaining_usd: toUsdString(remaining),
        ...end,
      };
  }
}
