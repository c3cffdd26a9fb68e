/**
 * vault owns the providers' keys: envelope encryption, the key ring, rotation. It is the only
 * place that decrypts.
 */
export { type EnvelopeBinding, openSecret, sealSecret, type SealedSecret } from './envelope';
export { KeyRing, KeyRingError } from './key-ring';
export { parseUpstreamSecret } from './parse-upstream-secret';
export { type RotationFailure, type RotationFailureReason, type RotationOptions, type RotationReport } from './rotate-upstream-keys';
export { openBytes, sealBytes, SealedBytesUnreadable } from './sealed-bytes';
export * from './sealed-text';
export * from './upstream-key-unreadable';
export * from './upstream-key-vault';
export { type OpenedUpstreamKey, type UpstreamKeyView } from './upstream-key-view';
export * from './upstream-key.entity';
export * from './vault.module';
