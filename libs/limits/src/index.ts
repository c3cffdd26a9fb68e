/**
 * limits owns how much a caller may do: windows of requests and tokens, requests open at the same
 * time, and budgets; the one script that decides an admission on Redis, its in-process twin, what
 * happens without Redis, and the words and headers in which a limit is told.
 */
export { type BudgetSource, type SpentQuestion } from './budget-source';
export { type DayRequests, type WindowSource } from './day-windows';
// The only names that are not behind a star, and so the first: kernel's index.ts says what for.
export { makeLimitPlan } from './limit-plan';
export * from './limiter-throttler-storage';
export * from './limits.module';
export * from './local-meter-store';
export * from './meter';
export * from './meter-store';
export * from './rate-limit-headers';
export { type RecoveredCall } from './recovered-calls';
export * from './redis-meter-store';
export * from './to-limit-plan';
export * from './to-refusal';
export { type WithoutRedis, type WithoutRedisPolicies } from './without-redis';
