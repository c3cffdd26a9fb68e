/**
 * limits owns how much a caller may do in a stretch of time: sliding windows, the one script that
 * decides an admission on Redis, its in-process twin, what happens without Redis, and the words and
 * headers in which a limit is told.
 */
export * from './admission';
export { LARGEST_LIMIT, type LimitPlan, type LimitScope, makeLimitPlan, type WindowLimit, type WindowName } from './limit-plan';
export * from './limiter';
export * from './limiter-throttler-storage';
export * from './limits.module';
export * from './local-limiter-store';
export * from './rate-limit-headers';
export * from './redis-limiter-store';
export * from './to-limit-plan';
export * from './to-refusal';
