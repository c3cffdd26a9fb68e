import { cutInto, readScene, type SpokenFormat } from '@weir/testing';
import { openUsageObserver } from './usage-observer';

const FORMATS: readonly SpokenFormat[] = ['openai-chat', 'openai-responses', 'anthropic', 'gemini'];

const TEXT_NAMES: readonly string[] = ['content', 'text'];

function observe(format: SpokenFormat, mediaType: string, pieces: readonly Buffer[]) {
  const observer = openUsageObserver(format, mediaType);
  for (const piece of pieces) observer.push(piece);
  observer.finish();
  return observer;
}

describe.each(FORMATS)('an answer in %s that passes', (format) => {
  const whole = readScene(format, 'text', 'gpt-5.4', false);
  const stream = readScene(format, 'text', 'gpt-5.4', true);

  it('tells the same usage whole and streamed, however it is cut', () => {
    const told = observe(format, 'application/json', [whole]).usage;
    expect(told?.inputTokens).toBeGreaterThan(0);
    expect(told?.outputTokens).toBeGreaterThan(0);
    expect(observe(format, 'application/json', cutInto.piecesOf([whole.toString('utf8')], 7)).usage).toEqual(told);
    expect(observe(format, 'text/event-stream', [stream]).usage).toEqual(told);
    expect(observe(format, 'text/event-stream', cutInto.bytes([stream.toString('utf8')])).usage).toEqual(told);
  });

  it('counts its text where the usage never comes', () => {
    const observer = observe(format, 'text/event-stream', [stream.subarray(0, Math.floor(stream.length * 0.7))]);
    expect(observer.textBytes).toBeGreaterThan(0);
  });

  it.each([0.5, 0.7, 0.9, 1])('counts its text where it is cut before its end (%p)', (share) => {
    const observer = openUsageObserver(format, 'application/json');
    const answer = JSON.stringify(JSON.parse(whole.toString()), (key, value: unknown) => (typeof value === 'string' && value.includes(' ') && TEXT_NAMES.includes(key) ? value.repeat(100) : value));
    const bytes = Buffer.from(answer).subarray(0, Math.floor(answer.length * share) - 1);
    observer.push(bytes);
    observer.cut();
    expect(observer.usage).toBeNull();
    expect(observer.textBytes).toBeGreaterThan(bytes.length * 0.3);
  });

  it('is taken for text where it is something else', () => {
    expect(observe(format, 'text/html', [Buffer.from('<html>')])).toMatchObject({ usage: null, textBytes: 6 });
    expect(observe(format, '', [whole])).toMatchObject({ usage: null, textBytes: whole.length });
    expect(observe(format, 'application/json', [Buffer.from('<html>')]).usage).toBeNull();
    expect(observe(format, 'application/json', []).usage).toBeNull();
    expect(observe(format, 'text/event-stream', [Buffer.from('data: <html>\n\n')]).usage).toBeNull();
  });
});

describe('Google’s stream without alt=sse', () => {
  it('is one list, whose last usage counts', () => {
    const parts = [{ usageMetadata: { promptTokenCount: 5 } }, { candidates: [{ content: { parts: [{ text: 'Hi' }] } }], usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 7, totalTokenCount: 12 } }];
    expect(observe('gemini', 'application/json', [Buffer.from(JSON.stringify(parts))]).usage).toMatchObject({ inputTokens: 5, outputTokens: 7 });
  });
});

describe('an answer that is cut inside an escape', () => {
  it.each(['\\', '\\\\', '\\u', '\\u00', '\\u00e', '\\\\\\u00e'])('counts what came before it: %s', (end) => {
    const observer = openUsageObserver('openai-chat', 'application/json');
    observer.push(Buffer.from(`{"choices":[{"message":{"content":"${'word '.repeat(20)}${end}`));
    observer.cut();
    expect(observer.textBytes).toBe(100);
  });
});

describe('a very large answer', () => {
  it('is counted by its bytes and not kept', () => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const observer = observe('openai-chat', 'application/json', Array.from({ length: 9 }, () => piece));
    expect(observer).toMatchObject({ usage: null, textBytes: 9 * 1024 * 1024 });
  });
});
