import { type Traces } from '@weir/platform';
import { type RelayCall } from '../relay-call';
import { type CallTracer, type CallTracing } from './call-tracer';
import { TracedCall } from './traced-call';

/** Begins the traces of calls. */
export class CallTraces implements CallTracer {
  constructor(private readonly traces: Traces) {}

  begin(call: RelayCall): CallTracing {
    return new TracedCall(call, this.traces.begin(call.request.headers));
  }
}
