import { scrubSecrets } from '@weir/platform';

/** A code may be the provider's: only what looks like one is shown in a log or a trace. */
export function toShownCode(code: string): string {
  return /^[\w.-]{1,64}$/.test(code) ? scrubSecrets(code) : 'other';
}
