import { Metrics } from '@weir/platform';

describe('Metrics', () => {
  let metrics: Metrics;
  beforeEach(() => {
    metrics = new Metrics();
  });
  const scrape = async () => (await metrics.scrape()).body.split('\n');

  it('counts a request by operation, status and outcome', async () => {
    metrics.requestStarted();
    metrics.requestFinished('chat', 200, 120, 30);
    metrics.requestStarted();
    metrics.requestFinished('chat', 200, 80, 20, 'aborted');
    metrics.requestStarted();
    const lines = await scrape();
    expect(lines).toContain('weir_requests_total{operation="chat",status="200",outcome="succeeded"} 1');
    expect(lines).toContain('weir_requests_total{operation="chat",status="200",outcome="aborted"} 1');
    expect(lines).toContain('weir_open_requests 1');
  });

  it('puts durations in seconds into cumulative buckets', async () => {
    for (const durationMs of [3, 5, 900, 400_000]) {
      metrics.requestStarted();
      metrics.requestFinished('embeddings', 200, durationMs, null);
    }
    const lines = await scrape();
    expect(lines).toContain('weir_request_duration_seconds_bucket{operation="embeddings",le="0.005"} 2');
    expect(lines).toContain('weir_request_duration_seconds_bucket{operation="embeddings",le="1"} 3');
    expect(lines).toContain('weir_request_duration_seconds_bucket{operation="embeddings",le="300"} 3');
    expect(lines).toContain('weir_request_duration_seconds_bucket{operation="embeddings",le="+Inf"} 4');
    expect(lines).toContain('weir_request_duration_seconds_count{operation="embeddings"} 4');
    expect(lines.some((line) => line.startsWith('weir_request_first_byte_seconds_count'))).toBe(false);
  });

  it('tells each status of a failed request its outcome', async () => {
    for (const status of [429, 499, 502]) {
      metrics.requestStarted();
      metrics.requestFinished('chat', status, 1, 1);
    }
    const lines = (await scrape()).filter((line) => line.startsWith('weir_requests_total{'));
    expect(lines.map((line) => /outcome="(\w+)"/.exec(line)?.[1])).toEqual(['refused', 'aborted', 'failed']);
  });

  it('adds tokens up by direction', async () => {
    metrics.tokensUsed('chat', 'gpt-x', { inputTokens: 7, cachedInputTokens: 2, outputTokens: 5 });
    metrics.tokensUsed('chat', 'gpt-x', { inputTokens: 3, cachedInputTokens: 0, outputTokens: 1 });
    const lines = await scrape();
    expect(lines).toContain('weir_tokens_total{direction="input",operation="chat",model="gpt-x"} 10');
    expect(lines).toContain('weir_tokens_total{direction="cached_input",operation="chat",model="gpt-x"} 2');
    expect(lines).toContain('weir_tokens_total{direction="output",operation="chat",model="gpt-x"} 6');
  });

  it('counts names beyond its limit together, so that no name fills the memory', async () => {
    for (let index = 0; index < 2000; index++) metrics.upstreamAttempt(`upstream-${index}`, 'success');
    const lines = (await scrape()).filter((line) => line.startsWith('weir_upstream_attempts_total{'));
    expect(lines).toHaveLength(501);
    expect(lines).toContain('weir_upstream_attempts_total{upstream="other",class="success"} 1500');
  });

  it('shows one breaker state an upstream, and none once it is forgotten', async () => {
    metrics.upstreamAttempt('a', 'fault');
    metrics.breakerState('a', 'closed');
    metrics.breakerState('a', 'open');
    expect(await scrape()).toEqual(
      expect.arrayContaining(['weir_upstream_breaker_state{upstream="a",state="open"} 1', 'weir_upstream_breaker_state{upstream="a",state="closed"} 0']),
    );
    metrics.forgetUpstream('a');
    expect((await scrape()).filter((line) => line.includes('upstream="a"'))).toEqual([]);
  });

  it('escapes what a label says, so that no name can forge a line', async () => {
    metrics.upstreamAttempt('a"} 1\nweir_forged 1', 'success');
    expect((await scrape()).filter((line) => line.startsWith('weir_forged'))).toEqual([]);
  });

  it('reads the ledger backlog when it is scraped', async () => {
    let backlog = 3;
    metrics.observeLedgerBacklog(() => backlog);
    expect(await scrape()).toContain('weir_ledger_backlog_rows 3');
    backlog = 0;
    expect(await scrape()).toContain('weir_ledger_backlog_rows 0');
  });

  it('has a registry of its own: two in one process do not disturb each other', async () => {
    const other = new Metrics();
    other.collectProcessMetrics();
    metrics.collectProcessMetrics();
    other.limiterFellBack();
    expect(await scrape()).toContain('weir_limiter_fallbacks_total 0');
    expect((await scrape()).some((line) => line.startsWith('weir_nodejs_eventloop_lag_seconds '))).toBe(true);
  });
});
