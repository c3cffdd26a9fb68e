import { Secret, WeirError } from '@weir/kernel';
import { createLogger, LogDestination, NestLogger, type WeirLogger } from '@weir/platform';
import { QueryFailedError } from 'typeorm';

const CANARY = 'canary-4711';
const configuration = { level: 'trace', format: 'json', file: null, maxSizeBytes: 1_000_000, maxFiles: 3, promptBody: false } as const;

describe('the log', () => {
  let text: string;
  let logger: WeirLogger;
  beforeEach(() => {
    text = '';
    logger = createLogger(configuration, new LogDestination(configuration, (written) => void (text += written)));
  });
  afterEach(() => logger.closeDestination());

  /** The lines written so far, as what they carry. */
  function lines(): Record<string, unknown>[] {
    logger.flushNow();
    const parsed = text.split('\n').filter((line) => line !== '').map((line): Record<string, unknown> => JSON.parse(line));
    return parsed.map(({ time: _time, pid: _pid, ...rest }) => rest);
  }

  it('writes one JSON line with known fields, numbers and flags', () => {
    logger.info({ requestId: 'r', status: 200, durationMs: 1.5, streamed: true, model: 'gpt-x', upstreamId: null }, 'request');
    expect(lines()).toEqual([{ level: 30, requestId: 'r', status: 200, durationMs: 1.5, streamed: true, model: 'gpt-x', upstreamId: null, msg: 'request' }]);
  });

  it('hides text under every name that is not known to be harmless', () => {
    logger.info({ authorization: CANARY, api_key: CANARY, apiKey: CANARY, anything: CANARY, body: CANARY, content: CANARY }, 'x');
    expect(Object.values(lines()[0]).filter((value) => value === '[hidden]')).toHaveLength(6);
    expect(text).not.toContain(CANARY);
  });

  it('hides objects, lists of objects, buffers and secrets whatever they are called', () => {
    const nested = { authorization: CANARY, deep: { api_key: CANARY, list: [CANARY] } };
    logger.info({ headers: nested, model: [nested], name: nested, chunk: Buffer.from(CANARY), secret: new Secret(CANARY), map: new Map([[1, CANARY]]) }, 'x');
    logger.info(new Map([[CANARY, CANARY]]), 'x');
    expect(lines()).toHaveLength(2);
    expect(text).not.toContain(CANARY);
  });

  it('hides numbers under names of secrets', () => {
    logger.info({ password: 47114711, pin: 4711, token: 4711, inputTokens: 7 }, 'x');
    expect(lines()).toEqual([{ level: 30, password: '[hidden]', pin: '[hidden]', token: '[hidden]', inputTokens: 7, msg: 'x' }]);
  });

  it('writes no name that somebody else may have chosen', () => {
    logger.info({ [`x ${CANARY}`]: 1, [`${CANARY}\n`]: 2 }, 'x');
    expect(lines()).toEqual([{ level: 30, msg: 'x' }]);
  });

  it('never formats values into the message', () => {
    logger.info('said %s %o', CANARY, { api_key: CANARY });
    logger.info({ status: 1 }, 'said %s', CANARY);
    expect(lines().map(({ msg }) => msg)).toEqual(['said %s %o', 'said %s']);
  });

  it('holds back in children what it holds back itself', () => {
    const child = logger.child({ requestId: 'r', authorization: CANARY, headers: { cookie: CANARY } });
    child.setBindings({ body: CANARY });
    child.child({ cookie: CANARY }).warn({ api_key: CANARY }, 'x');
    expect(lines()).toEqual([{ level: 40, requestId: 'r', authorization: '[hidden]', headers: '[hidden]', body: '[hidden]', cookie: '[hidden]', api_key: '[hidden]', msg: 'x' }]);
  });

  it.each([
    ['a key of Weir', 'refused sk-weir-abcDEF123_0123456789abcdefghij'],
    ['a key of a provider', 'refused sk-proj-abcdef_0123456789-XYZ'],
    ['a key of Google', 'refused AIzaSyA0123456789abcdefghijklmnopqrstuvw'],
    ['a bearer token', 'sent Authorization: Bearer abc.def.ghi-0123'],
    ['a signed token', 'got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'],
    ['an encryption key', `ring ${'0123456789abcdef'.repeat(4)}`],
    ['a password in a URL', 'postgres://weir:0123456789@db/weir'],
    ['a password with a colon in a URL', 'redis://:0123:456789@cache'],
    ['a key in a query', 'GET /v1/models?key=0123456789abc&x=1'],
    ['a key in JSON', '{"api_key":"0123456789abc"}'],
  ])('scrubs %s from a message, an error and a field', (_what, secret) => {
    logger.info({ reason: secret }, secret);
    logger.error(new Error(secret), 'x');
    expect(lines()).toHaveLength(2);
    expect(text).toContain('[secret]');
    expect(text).not.toMatch(/0123|abcdef|abc\.def|c2lnbmF0dXJl/);
  });

  it('keeps ordinary words in a message', () => {
    logger.info('listening on http://127.0.0.1:8080 with token limits; errors by code: 3 keys');
    expect(lines()[0].msg).toBe('listening on http://127.0.0.1:8080 with token limits; errors by code: 3 keys');
  });

  it('drops the query of a path', () => {
    logger.info({ path: `/v1/models?key=${CANARY}`, url: `http://h/x?q=${CANARY}` }, 'x');
    expect(lines()).toEqual([{ level: 30, path: '/v1/models', url: 'http://h/x', msg: 'x' }]);
  });

  it('describes an error without what hangs on it', () => {
    const error = Object.assign(new Error('call failed'), {
      config: { headers: { authorization: CANARY } },
      request: { body: CANARY },
      code: 'ECONNRESET',
      cause: Object.assign(new TypeError('inner'), { api_key: CANARY }),
    });
    logger.error({ err: error }, 'x');
    expect(lines()[0].err).toMatchObject({ type: 'Error', code: 'ECONNRESET', message: 'call failed', cause: { type: 'TypeError', message: 'inner' } });
    expect(text).toContain('logger.spec');
    expect(text).not.toContain(CANARY);
  });

  it('leaves out the words of errors that quote what they failed on', () => {
    const broken: unknown[] = [];
    for (const fail of [() => JSON.parse(`"${CANARY}`), () => JSON.parse(`{"x": ${CANARY}}`)]) {
      try {
        fail();
      } catch (error) {
        broken.push(error);
      }
    }
    const driverError = Object.assign(new Error(`Key (secret)=(${CANARY}) already exists`), { code: '23505', constraint: 'users_email', detail: CANARY });
    broken.push(new QueryFailedError(`INSERT '${CANARY}'`, [CANARY], driverError));
    for (const error of broken) logger.error({ err: error, cause: error }, 'x');
    logger.error({ err: CANARY }, 'thrown text');
    const types = lines().map(({ err }) => (typeof err === 'object' && err !== null && 'type' in err ? err.type : err));
    expect(types).toEqual(['SyntaxError', 'SyntaxError', 'QueryFailedError', '[hidden]']);
    expect(text).not.toContain(CANARY);
  });

  it('shows the detail of our own errors', () => {
    logger.error(new WeirError('upstream_error', { detail: 'the stream ended early' }));
    expect(lines()[0].err).toMatchObject({ type: 'WeirError', code: 'upstream_error', message: 'The upstream failed to answer properly. (the stream ended early)' });
  });

  it('keeps a line a line', () => {
    logger.info({ model: 'a\nb\u2028"}' }, 'first\nsecond');
    logger.flushNow();
    expect(text.split('\n')).toHaveLength(2);
    expect(lines()[0]).toMatchObject({ model: 'a\nb\u2028"}', msg: 'first\nsecond' });
  });

  it("passes Nest's lines on, without what Nest hands over with them", () => {
    const nest = new NestLogger(logger);
    nest.log('Mapped {/admin/keys, GET} route', 'RouterExplorer');
    nest.error(Object.assign(new Error('failed'), { config: CANARY }), `Error: ${CANARY}\n    at x`, 'ExceptionsHandler');
    nest.warn({ authorization: CANARY }, 'Context');
    const [routed, failed, warned] = lines();
    expect(routed).toEqual({ level: 20, context: 'RouterExplorer', msg: 'Mapped {/admin/keys, GET} route' });
    expect(failed).toMatchObject({ level: 50, context: 'ExceptionsHandler', err: { type: 'Error', message: 'failed' } });
    expect(warned).toMatchObject({ level: 40, context: 'Context' });
    expect(text).not.toContain(CANARY);
  });

  it('refuses a file that cannot be opened, and names the variable', () => {
    const open = (): LogDestination => new LogDestination({ ...configuration, file: '/dev/null/weir.log' });
    expect(open).toThrow(/^LOG_FILE: the file \/dev\/null\/weir\.log cannot be written \(\w+\); a part of its path is no folder$/);
  });

  it('prints for people what is asked for people, without control characters', () => {
    const pretty = { ...configuration, format: 'pretty' } as const;
    const person = createLogger(pretty, new LogDestination(pretty, (written) => void (text += written)));
    person.warn({ port: 8080, model: 'a\u001b[31m' }, 'listening');
    person.closeDestination();
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}listening port=8080 model=a\\u001b\[31m\n$/);
  });
});
