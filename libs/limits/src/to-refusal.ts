import { WeirError } from '@weir/kernel';
import { type Admission } from './admission';
import { type LimitScope, type WindowName } from './limit-plan';

const WINDOW_WORDS: Record<WindowName, string> = {
  requests_per_minute: 'requests per minute',
  requests_per_day: 'requests per day',
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

/** What a caller is told who was not admitted: which limit, how much of it is used, when to come back. */
export function toRefusal(admission: Extract<Admission, { admitted: false }>): WeirError {
  const { window, used, resetMs } = admission.refused;
  const limit = `${WINDOW_WORDS[window.name]} of ${SCOPE_WORDS[window.scope]}: limit ${window.limit}, used ${used}`;
  if (!Number.isFinite(resetMs)) {
    return new WeirError('rate_limit_exceeded', { message: `This request is larger than the limit for ${limit}.` });
  }
  return new WeirError('rate_limit_exceeded', {
    message: `Rate limit reached for ${limit}. Try again in ${toWords(resetMs)}.`,
    retryAfterMs: resetMs,
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
