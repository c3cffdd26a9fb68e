import { type UsageUnits } from '@weir/kernel';

/** An answer for the caller, and what it cost by the upstream's word. */
export interface ConvertedAnswer {
  readonly body: object;
  /** Null when the upstream says none. */
  readonly usage: UsageUnits | null;
}

/** How a whole JSON request in a caller's format, and its answer, are said in an upstream's. Pure. */
export interface BodyConversion {
  /**
   * @param request the caller's parsed body
   * @param upstreamModel the upstream's name of the model
   * @throws WeirError invalid_request that names the caller's field
   */
  toUpstream(request: unknown, upstreamModel: string): object;
  /**
   * @param answer the upstream's parsed body
   * @param request as above: indexes and echoes are taken from it
   * @param model the name by which the caller asked
   * @throws WeirError upstream_error
   */
  toCaller(answer: unknown, request: unknown, model: string): ConvertedAnswer;
}
