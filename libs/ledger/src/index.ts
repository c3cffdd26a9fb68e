/**
 * ledger owns what was used and what it cost: one row per attempt, its way into PostgreSQL behind
 * the requests' backs, the monthly partitions, prices, and reading it all back.
 */
export * from './ledger-filter';
export * from './ledger-reader';
export * from './ledger-row';
export * from './ledger-writer';
export * from './ledger.module';
export * from './prices';
export * from './rollups/usage-rollups';
export { RowBatch } from './row-batch';
export { type RefusedRow, type RowInserter } from './row-uploader';
export { type HoldRecord } from './spool/open-calls';
export { type RecoveredCall } from './spool/orphan-calls';
export { type OnRecovered } from './spool/spool-adopter';
export { type Depart } from './spool/spool-writer';
export * from './usage-inserter';
export * from './usage-months';
export * from './usage-partitions';
export * from './usage-record';
export { toUsageRowText } from './usage-row';
export { type UsageMeasure } from './rollups/usage-tables';
export { parseUsageGroups, toUsageView, USAGE_GROUPS, type UsageBucket, type UsageGroup, type UsageSum } from './usage-sum';
