import { type ScopeLimitsInput, type ScopeLimitsView } from '../admin/limits/scope-limits.dto';

/** The admin API leaves a limit that is not named; a file that names some of them means all: the others are none. */
export function toWholeLimits(limits: ScopeLimitsInput | null): ScopeLimitsView {
  const { rpm = null, tpm = null, rpd = null, concurrency = null } = limits ?? {};
  return { rpm, tpm, rpd, concurrency };
}
