/** How long an admission takes at most, which may have to ask Redis, the ledger, and Redis again; unless a setting says otherwise. */
export const LONGEST_ADMISSION_MS = 300;

/** The part of it that one question to Redis may take. */
export function toRedisTimeoutMs(longestAdmissionMs: number = LONGEST_ADMISSION_MS): number {
  return Math.ceil((longestAdmissionMs * 2) / 3);
}
