import { type Readable } from 'node:stream';

/** What one part of a form may be. */
export interface PartRule {
  readonly kind: 'text' | 'file';
  readonly isRequired?: boolean;
  /** Other parts come once. */
  readonly mayRepeat?: boolean;
  /** Of one text. */
  readonly maxBytes?: number;
}

/** A form that a route takes. */
export interface MultipartForm {
  /** By the part's name. A Map, because `__proto__` is a name like any other. */
  readonly parts: ReadonlyMap<string, PartRule>;
  /** Texts of other names pass, each once; files never do. */
  readonly isOpen?: boolean;
  /** All texts together. */
  readonly maxTextBytes?: number;
}

export interface MultipartLimits {
  /** All files together. */
  readonly maxFileBytes: number;
  /** How long the caller may send nothing. */
  readonly idleTimeoutMs?: number;
}

export interface MultipartField {
  readonly name: string;
  readonly value: string;
}

/** A file on its way in. */
export interface MultipartFile {
  readonly name: string;
  /** Without folders and control characters; never part of a path here. */
  readonly filename: string;
  /** What the caller says it is, without parameters; null when it says nothing. */
  readonly mediaType: string | null;
  /** Comes as fast as it is read. Ends with an error when the caller leaves, or the rest of the form is not valid. */
  readonly content: Readable;
}

export interface MultipartContents<Result> {
  /** In the order they came. */
  readonly fields: readonly MultipartField[];
  /** What was made of each file, in the order they came. */
  readonly files: readonly Result[];
}

/** Of one text, where its rule says nothing. */
export const MAX_FIELD_BYTES = 16 * 1024;
export const MAX_TEXT_BYTES = 64 * 1024;
export const MAX_PARTS = 128;
export const MAX_PART_HEAD_BYTES = 4 * 1024;
/** All heads and boundaries together, what stands before the first one and behind the last. */
export const MAX_FRAME_BYTES = 64 * 1024;
export const IDLE_TIMEOUT_MS = 30_000;

/** The texts by name; of one that came several times, the first. */
export function toFieldMap(fields: readonly MultipartField[]): ReadonlyMap<string, string> {
  return new Map([...fields].reverse().map(({ name, value }) => [name, value]));
}
