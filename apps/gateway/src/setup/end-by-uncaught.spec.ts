import { endByUncaught } from './end-by-uncaught';

const PROMPT = 'my-prompt-4711';

function end(error: unknown): { told: string; code: number | null } {
  let told = '';
  let code: number | null = null;
  endByUncaught(error, (line) => (told += line), (exitCode) => (code = exitCode));
  return { told, code };
}

function catchFrom(fail: () => unknown): unknown {
  try {
    return fail();
  } catch (error) {
    return error;
  }
}

describe('an error that nobody caught', () => {
  it.each<[string, unknown]>([
    ['SyntaxError', catchFrom(() => JSON.parse(`{"content": ${PROMPT}}`))],
    ['Error', Object.assign(new Error('failed'), { parameters: [PROMPT], query: PROMPT, headers: { authorization: PROMPT } })],
    ['string', PROMPT],
  ])('ends the process with its kind, and nothing of what it failed on: %s', (type, error) => {
    const { told, code } = end(error);
    expect([told.split('\n').length, code]).toEqual([2, 1]);
    expect(told).toContain(`"type":"${type}"`);
    expect(told).not.toContain(PROMPT);
  });

  it('says where it came from', () => {
    expect(end(new TypeError('x is not a function')).told).toMatch(/x is not a function.*at .*end-by-uncaught\.spec/);
  });
});
