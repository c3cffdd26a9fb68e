/**
 * testing owns the upstream simulator, which stands for every provider in tests and benchmarks,
 * and the rows that tests put in before they begin. Nothing that ships imports it.
 */
export * from './chat-events';
export * from './error-bodies';
export * from './fast-upstream';
export * from './gate';
export * from './provider-errors';
export * from './provider-scenes';
export * from './raw-client';
export * from './reply';
export * from './respond';
export * from './rows';
export * from './simulator-call';
export * from './speak';
export * from './sse-dialects';
export * from './step';
export * from './test-certificate';
export * from './upstream-simulator';
