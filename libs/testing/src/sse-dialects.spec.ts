import { ABSURD_USAGE, azureChatEvents, chatEvents, cutInto, dialects, NEGATIVE_USAGE } from '@weir/testing';

const events = chatEvents('žluť 🐎');
const text = events.join('');
const dataOf = (event: string) => JSON.parse(event.slice(6));

describe('cutInto', () => {
  it.each([
    ['bytes', cutInto.bytes(events)],
    ['pieces of 7', cutInto.piecesOf(events, 7)],
    ['random pieces', cutInto.randomPieces(events, 42)],
  ])('gives the same bytes in %s', (_how, pieces) => {
    expect(Buffer.concat(pieces).toString()).toBe(text);
    expect(pieces.every((piece) => piece.length > 0)).toBe(true);
  });

  it('cuts at random, the same way for the same seed', () => {
    const lengths = (seed: number) => cutInto.randomPieces(events, seed).map((piece) => piece.length);
    expect(lengths(1)).toEqual(lengths(1));
    expect(lengths(1)).not.toEqual(lengths(2));
    expect(new Set(lengths(1)).size).toBeGreaterThan(3);
  });
});

describe('dialects', () => {
  it.each([
    ['crlf', /^data: .*\r\n\r\n/, /[^\r]\n/],
    ['cr', /^data: .*\r\r/, /\n/],
    ['withBom', /^\uFEFFdata: /, null],
    ['withoutSpace', /^data:\{/, /data: /],
    ['withComments', /^: keep-alive\n\ndata: /, null],
    ['withEventFields', /^id: 0\nretry: 1000\nevent: message\ndata: /, null],
    ['multiLine', /^data: \{\ndata: +"id"/, /^[^d\n]/m],
    ['withoutLastBlankLine', /\[DONE\]\n$/, /\[DONE\]\n\n/],
    ['doneWithTrailingSpace', /data: \[DONE\] \n\n$/, null],
  ] as const)('%s writes what its name says', (name, has, hasNot) => {
    const written = dialects[name](events).join('');
    expect(written).toMatch(has);
    if (hasNot !== null) expect(written).not.toMatch(hasNot);
  });
});

describe('chatEvents', () => {
  it('ends with usage on a chunk of its own and [DONE]', () => {
    expect(dataOf(events.at(-2) ?? '')).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 2 } });
    expect(events.at(-1)).toBe('data: [DONE]\n\n');
  });

  it('leaves the usage out, or lies about it, or puts it on the finish chunk', () => {
    expect(chatEvents('x', { usage: null }).join('')).not.toContain('"usage":{');
    expect(dataOf(chatEvents('x', { usage: NEGATIVE_USAGE, done: false }).at(-1) ?? '').usage).toEqual(NEGATIVE_USAGE);
    const last = dataOf(chatEvents('x', { usage: ABSURD_USAGE, usageOn: 'finish-chunk', done: false }).at(-1) ?? '');
    expect(last).toMatchObject({ choices: [{ finish_reason: 'stop' }], usage: { total_tokens: 'many' } });
  });

  it('begins as Azure does, without id, model and choices', () => {
    const azure = azureChatEvents('x');
    expect(dataOf(azure[0])).toMatchObject({ id: '', model: '', choices: [], prompt_filter_results: [{}] });
    expect(dataOf(azure[3]).choices[0]).not.toHaveProperty('delta');
  });
});
