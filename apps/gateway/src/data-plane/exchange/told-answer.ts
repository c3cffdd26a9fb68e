import { type StopReason } from '@weir/wire';

/** What an upstream says of its answer beside the answer. */
export interface ToldAnswer {
  /** Null where it gives none. */
  readonly id: string | null;
  readonly model: string;
  /** Null while it goes on, and where the answer passes as it is: then it is not read. */
  readonly stopReason: StopReason | null;
}
