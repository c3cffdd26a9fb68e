import { AnswerDeadlines, type Asked } from './answer-deadlines';

const TIMEOUT_MS = 200;
const late: string[] = [];
let nowMs = 0;

function ask(deadlines: AnswerDeadlines, name: string): Asked {
  const asked = { askedMs: nowMs, onLate: () => late.push(name) };
  deadlines.expect(asked);
  return asked;
}

async function pass(ms: number): Promise<void> {
  nowMs += ms;
  jest.advanceTimersByTime(ms);
  // The look comes behind the poll phase.
  await new Promise(setImmediate);
}

beforeEach(() => {
  late.length = 0;
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'Date', 'performance', 'hrtime'] });
  nowMs = 1_000;
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('AnswerDeadlines', () => {
  it('tells of each question when its own time is up, once', async () => {
    const deadlines = new AnswerDeadlines(TIMEOUT_MS);
    const first = ask(deadlines, 'first');
    await pass(150);
    ask(deadlines, 'second');
    await pass(49);
    expect(late).toEqual([]);
    await pass(1);
    expect(late).toEqual(['first']);
    expect(deadlines.answered(first)).toBe(false);
    await pass(149);
    expect(late).toEqual(['first']);
    await pass(1);
    expect(late).toEqual(['first', 'second']);
    await pass(1_000);
    expect(late).toEqual(['first', 'second']);
  });

  it('tells of none that was answered, and watches again after a pause', async () => {
    const deadlines = new AnswerDeadlines(TIMEOUT_MS);
    expect(deadlines.answered(ask(deadlines, 'answered'))).toBe(true);
    await pass(1_000);
    expect(jest.getTimerCount()).toBe(0);
    ask(deadlines, 'open');
    await pass(TIMEOUT_MS);
    expect(late).toEqual(['open']);
  });

  it('takes an answer that waited unread while the process stood still', async () => {
    const deadlines = new AnswerDeadlines(TIMEOUT_MS);
    const asked = ask(deadlines, 'unread');
    nowMs += 5_000;
    jest.advanceTimersByTime(5_000);
    // Sockets are read between the timer and the look.
    expect(deadlines.answered(asked)).toBe(true);
    await new Promise(setImmediate);
    expect(late).toEqual([]);
  });
});
