import { mergeMetrics } from './merge-metrics';

const text = (value: number): string => `# HELP weir_requests_total Requests.
# TYPE weir_requests_total counter
weir_requests_total{status="200",model="a } b"} ${value}

# HELP weir_open_requests Open.
# TYPE weir_open_requests gauge
weir_open_requests ${value}
weir_empty{} ${value}
`;

describe('mergeMetrics', () => {
  it('names each metric once, and says of each series whose it is', () => {
    expect(mergeMetrics([{ worker: 1, text: text(1) }, { worker: 2, text: text(2) }])).toBe(`# HELP weir_requests_total Requests.
# TYPE weir_requests_total counter
weir_requests_total{worker="1",status="200",model="a } b"} 1
weir_requests_total{worker="2",status="200",model="a } b"} 2

# HELP weir_open_requests Open.
# TYPE weir_open_requests gauge
weir_open_requests{worker="1"} 1
weir_empty{worker="1"} 1
weir_open_requests{worker="2"} 2
weir_empty{worker="2"} 2
`);
  });

  it('shows what there is when a worker has only what another has not', () => {
    const merged = mergeMetrics([{ worker: 1, text: '# TYPE a gauge\na 1\n' }, { worker: 2, text: '# TYPE b gauge\nb 2\n' }]);
    expect(merged).toBe('# TYPE a gauge\na{worker="1"} 1\n\n# TYPE b gauge\nb{worker="2"} 2\n');
  });
});
