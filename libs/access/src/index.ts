/**
 * access owns who calls: organizations, projects, users and the keys that Weir issues. It answers
 * "whose key is this, and what may it do" from memory, without the database.
 */
// First for the reason that kernel's index.ts gives.
export { parseAllowedModels } from './model-allow-list';
export * from './access-snapshot';
export * from './access.module';
export * from './admin-identities';
export { type AdminIdentity } from './admin-key-verifier';
export * from './admin-key.entity';
export * from './caller';
export * from './key-format';
export * from './limited-scope';
export * from './model-allow-list';
export * from './organization.entity';
export * from './parse-budgets';
export * from './parse-usd-amount';
export * from './project.entity';
export * from './proxy-key.entity';
export * from './proxy-keys';
export * from './user.entity';
