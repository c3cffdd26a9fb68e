import { readParent } from './read-parent';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('readParent', () => {
  it('reads the span of the caller, and whether it is sampled', () => {
    expect(readParent({ traceparent: `00-${TRACE}-${SPAN}-01` })).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
    expect(readParent({ traceparent: `00-${TRACE}-${SPAN}-00` })).toMatchObject({ traceFlags: 0 });
  });

  it('takes a later version for what it knows of it', () => {
    expect(readParent({ traceparent: `01-${TRACE}-${SPAN}-01-more` })).toMatchObject({ traceId: TRACE });
  });

  it('keeps a state, but none without end', () => {
    const traceparent = `00-${TRACE}-${SPAN}-01`;
    expect(readParent({ traceparent, tracestate: 'a=1,b=2' })?.traceState?.serialize()).toBe('a=1,b=2');
    expect(readParent({ traceparent, tracestate: `a=${'x'.repeat(5000)}` })?.traceState).toBeUndefined();
  });

  it.each([
    undefined,
    '',
    'x'.repeat(100_000),
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ])('finds none in %j', (traceparent) => {
    expect(readParent({ traceparent })).toBeNull();
  });
});
