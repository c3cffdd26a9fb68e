export * from './demo-chat';
export * from './demo-completion';
export * from './demo-embeddings';
export * from './demo-error';
export * from './demo-events';
export * from './demo-models';
export * from './demo-request';
export * from './demo-tokens';
