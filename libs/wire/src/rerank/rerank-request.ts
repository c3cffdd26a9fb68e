import { countCodePoints } from '../count-code-points';

/** One question and the texts to sort by it, whatever the caller's shape. */
export interface RerankRequest {
  readonly query: string;
  /** At least one, at most MAX_RERANK_DOCUMENTS. */
  readonly documents: readonly RerankDocument[];
  /** How many results the caller wants; never more than there are documents. */
  readonly topN: number;
  readonly returnsDocuments: boolean;
  /** Null: the caller did not say. */
  readonly truncates: boolean | null;
  /** Scores as the model makes them, not brought to 0…1. Null: the caller did not say. */
  readonly wantsRawScores: boolean | null;
}

export interface RerankDocument {
  readonly text: string;
  /** What goes back to a caller that wants its documents: `{text}`, or its own object. */
  readonly echo: Readonly<Record<string, unknown>>;
}

/** What a rerank is charged by where the upstream does not tell. */
export interface RerankFacts {
  readonly documents: number;
  /** Code points that the model reads: the query once for each document. */
  readonly characters: number;
}

/** Each document is read together with the query. */
export function toRerankFacts({ query, documents }: RerankRequest): RerankFacts {
  const read = documents.reduce((sum, { text }) => sum + countCodePoints(text), 0);
  return { documents: documents.length, characters: read + countCodePoints(query) * documents.length };
}
