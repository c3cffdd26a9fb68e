import { type UsageUnits } from '@weir/kernel';

/**
 * The neutral form of a request for embeddings, and of its answer: what every dialect of it can be
 * read into and written from. What is kept, refused and dropped is told in docs/dialects.md.
 */
export interface EmbeddingRequest {
  readonly model: string;
  /** Texts, or texts as lists of token ids; at least one. */
  readonly inputs: readonly EmbeddingInput[];
  /** How the caller calls the inputs (`input`, `requests`): for refusals by a writer. */
  readonly inputField: string;
  /** The length of the vectors; null: the model's. */
  readonly dimensions: number | null;
  readonly encodingFormat: EncodingFormat;
  /** An opaque name for the caller's own user. */
  readonly user: string | null;
  /** Google's `taskType`: what the vectors are for. Others have no word for it. */
  readonly taskType: string | null;
  /** Google's `title` of a document. */
  readonly title: string | null;
}

export type EmbeddingInput = string | readonly number[];
export type EncodingFormat = 'float' | 'base64';

export interface EmbeddingAnswer {
  /** One for each input, in order. */
  readonly vectors: readonly (readonly number[])[];
  /** Null when the upstream says none, or what cannot be. */
  readonly usage: Readonly<UsageUnits> | null;
}
