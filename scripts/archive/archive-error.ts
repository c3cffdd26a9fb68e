import { ConfigurationError } from '@weir/platform';

/** A backup that cannot be made or read; the message is for people, and names no secret. */
export class ArchiveError extends ConfigurationError {}
