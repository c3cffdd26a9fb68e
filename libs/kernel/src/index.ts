/**
 * kernel owns the words every other lib shares and that depend on nothing: ids, the clock, the
 * error table, usage units, money and the wrapper that keeps a secret out of a log.
 * Everything here is pure, or touches nothing but the processor.
 */
// First, because no file begins with it: where two begin with the same name, V8 keeps the names of the
// later one in a dictionary, and each use of one is a search (test/build.e2e.ts).
export { zeroUsage } from './usage-units';
export * from './budget';
export * from './clock';
export * from './error-table';
export * from './ids';
export * from './money';
export * from './operation';
export * from './parse-scope-limits';
export * from './request-id';
export * from './scope-limits';
export * from './secret';
export * from './usage-units';
export * from './weir-error';
