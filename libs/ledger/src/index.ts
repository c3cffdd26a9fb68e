/**
 * ledger owns what was used and what it cost: one row per attempt, its way into PostgreSQL behind
 * the requests' backs, the monthly partitions, prices, and reading it all back.
 */
export * from './ledger-filter';
export * from './ledger-reader';
export * from './ledger-row';
export * from './ledger-writer';
export * from './ledger.module';
export * from './model-price';
export * from './to-cost';
export * from './usage-inserter';
export * from './usage-months';
export * from './usage-partitions';
export * from './usage-record';
export { parseUsageGroups, toUsageView, USAGE_GROUPS, type UsageGroup, type UsageSum } from './usage-sum';
