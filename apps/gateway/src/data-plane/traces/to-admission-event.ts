import { type SpanAttributes, type SpanEvent } from '@weir/platform';
import { type Admission } from '@weir/limits';

/** What the limits said. @param waitedMs for a store to answer; 0 where the process itself decides */
export function toAdmissionEvent(admission: Admission, atMs: number, waitedMs: number): SpanEvent {
  const attributes: SpanAttributes = { 'weir.admission.admitted': admission.admitted, 'weir.admission.wait_ms': waitedMs };
  if (!admission.admitted) {
    const { limit } = admission.refused;
    attributes['weir.admission.refused_by'] = limit.kind === 'window' ? limit.name : limit.kind === 'lease' ? 'concurrency' : 'budget';
    attributes['weir.admission.scope'] = limit.scope;
  }
  return { name: 'weir.admission', atMs, attributes };
}
