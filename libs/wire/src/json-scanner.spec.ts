import { type JsonFault, JsonScanner, MAX_JSON_DEPTH } from '@weir/wire';

const scanner = new JsonScanner();

function scan(text: string | Buffer, strictKeys = true): boolean {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return scanner.scan(bytes, 0, bytes.length, { strictKeys });
}

function faultOf(text: string | Buffer): JsonFault {
  expect(scan(text)).toBe(false);
  if (scanner.fault === null) throw new Error('a refused text has a fault');
  return scanner.fault;
}

describe('JsonScanner', () => {
  const valid = [
    '{}', '[]', '""', '0', '-0', '1.5e+10', '1E5', 'true', 'false', 'null', ' \t\r\n{ } ',
    '{"a":[1,2,{"b":"c"}],"d":null}', '[[],{},[{}]]', '"\\u00e9\\n\\\\\\""', '"\\ud800"', '{"":1}',
  ];
  it.each(valid)('accepts %j as JSON.parse does', (text) => {
    expect(() => JSON.parse(text) as unknown).not.toThrow();
    expect(scan(text)).toBe(true);
  });

  const invalid = [
    '', ' ', '{', '}', '[', ']', '{"a"}', '{"a":}', '{"a":1,}', '[1,]', '[,1]', '{,}', '01', '-', '1.', '.5', '1e', '+1',
    'nul', 'truee', 'NaN', 'Infinity', "'a'", '"a', '"\\x"', '"\\u12g4"', '"\\', '"\n"', '"\u0000"', '{"a":1}{', '{}x', '{a:1}', '[1 2]', '{"a" 1}',
    '{"a":1 "b":2}', '[}', '{]', '\ufeff{}', '1 2', '"\u001f"',
  ];
  it.each(invalid)('refuses %j as JSON.parse does', (text) => {
    expect(() => JSON.parse(text) as unknown).toThrow();
    expect(faultOf(text).reason).toBe('syntax');
  });

  it('agrees with JSON.parse on ten thousand mutations of a chat request', () => {
    const base = Buffer.from(
      JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'a "b" \\ é \n' }], stream: true, n: -1.5e-3, x: [null, {}, []] }),
    );
    let state = 1;
    const random = (limit: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % limit;
    };
    const alphabet = Buffer.from('{}[]",:\\ue0-.1tfn \n\u0001');
    let accepted = 0;
    for (let round = 0; round < 10_000; round += 1) {
      const bytes = Buffer.from(base);
      for (let change = 0; change <= random(2); change += 1) bytes[random(bytes.length)] = alphabet[random(alphabet.length)];
      let expected = true;
      try {
        JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
      } catch {
        expected = false;
      }
      if (scan(bytes, false) !== expected) throw new Error(`differs on ${bytes.toString('latin1')}`);
      if (expected) accepted += 1;
    }
    expect(accepted).toBeGreaterThan(100);
  });

  it.each(['"', '\\', '\u0000', '\u001f', '\n', '\u007f', 'é', '\\n', '\\"', '\\u00e9', '\\x'])('reads long texts with %j anywhere in them, wherever the bytes stand in memory, as JSON.parse does', (odd) => {
    for (let place = 0; place <= 70; place += 1) {
      const json = Buffer.from(`{"content":"${'x'.repeat(place)}${odd}${'y'.repeat(70 - place)}","n":1}`);
      let parsed: unknown = null;
      try {
        parsed = JSON.parse(json.toString());
      } catch {
        // Refused.
      }
      for (let shift = 0; shift < 4; shift += 1) {
        // What stands behind the text would end it.
        const bytes = Buffer.concat([Buffer.alloc(shift), json, Buffer.from('"}')]);
        expect(scanner.scan(bytes, shift, shift + json.length, { strictKeys: true })).toBe(parsed !== null);
        if (parsed !== null) expect(scanner.stringMember(scanner.findMember('content'))).toBe(Reflect.get(Object(parsed), 'content'));
        expect(scanner.scan(bytes, shift, shift + 14 + place, { strictKeys: true })).toBe(false);
      }
    }
  });

  it('refuses invalid UTF-8 in a long text, as behind it', () => {
    for (const text of [`${'x'.repeat(100)}\xff${'x'.repeat(100)}`, `\xc3${'x'.repeat(100)}`, `${'x'.repeat(100)}\xe2\x82`]) {
      expect(faultOf(Buffer.from(`["${text}",{"a":"x"}]`, 'latin1')).reason).toBe('invalid_utf8');
    }
  });

  it('refuses invalid UTF-8', () => {
    expect(faultOf(Buffer.from([0x22, 0xc3, 0x28, 0x22])).reason).toBe('invalid_utf8');
    expect(faultOf(Buffer.from([0x22, 0xff, 0x22])).reason).toBe('invalid_utf8');
  });

  it('refuses nesting beyond its limit without recursing, and goes on to scan the next text', () => {
    expect(scan('['.repeat(MAX_JSON_DEPTH) + ']'.repeat(MAX_JSON_DEPTH))).toBe(true);
    expect(faultOf('['.repeat(10_000) + ']'.repeat(10_000)).reason).toBe('too_deep');
    expect(faultOf('{"a":'.repeat(10_000)).reason).toBe('too_deep');
    expect(scan('{"a":1}')).toBe(true);
  });

  it.each([
    ['{"model":"a","model":"b"}', 'model'],
    ['{"mod\\u0065l":"a","model":"b"}', 'model'],
    ['{"model":"a","mod\\u0065l":"b"}', 'mod?u0065l'],
    ['{"messages":[{"role":"a"},{"role":"b","role":"c"}]}', 'messages[1].role'],
    [`{${Array.from({ length: 40 }, (_, index) => `"k${index}":0`).join()},"k3":1}`, 'k3'],
  ])('refuses a key said twice in %s and names it', (text, path) => {
    expect(faultOf(text)).toMatchObject({ reason: 'duplicate_key', path });
  });

  it('lets the same key stand in different objects', () => {
    expect(scan('[{"a":{"a":1}},{"a":2}]')).toBe(true);
    expect(scan('{"a\\u00e9":{"a\\u00e9":1},"b":1}')).toBe(true);
  });

  it.each(['{"__proto__":1}', '{"a":{"__proto__":{}}}', '{"\\u005f_proto__":1}'])('refuses the key __proto__ in %s', (text) => {
    expect(faultOf(text).reason).toBe('forbidden_key');
  });

  it('refuses an object with more keys than anybody needs', () => {
    expect(faultOf(`{${Array.from({ length: 10_001 }, (_, index) => `"k${index}":0`).join()}}`).reason).toBe('too_many_keys');
  });

  it('finds the members of the outermost object and where their values stand', () => {
    const text = ' { "model" : "gpt" , "stream":true,"n":[ ], "mo\\u0064e":{"model":"inner"} } ';
    expect(scan(text)).toBe(true);
    const member = scanner.findMember('model');
    expect(text.slice(scanner.memberValueStart(member), scanner.memberValueEnd(member))).toBe('"gpt"');
    expect(scanner.parseMember(scanner.findMember('stream'))).toBe(true);
    expect(scanner.isEmptyMember(scanner.findMember('n'))).toBe(true);
    expect(scanner.parseMember(scanner.findMember('mode'))).toEqual({ model: 'inner' });
    expect(scanner.stringMember(member)).toBe('gpt');
    expect(scanner.findMember('absent')).toBe(-1);
    expect(scan('{"model":"a\\u00e9\\n"}')).toBe(true);
    expect(scanner.stringMember(0)).toBe('aé\n');
  });

  it('finds each member among many, by its whole name only', () => {
    const names = ['', 'a', 'b', 'ab', 'ba', 'abc', 'acb', 'n', 'model', 'models', 'stream', ...Array.from({ length: 200 }, (_, index) => `name_${index}`)];
    expect(scan(JSON.stringify(Object.fromEntries(names.map((name) => [name, name]))))).toBe(true);
    for (const name of names) expect(scanner.stringMember(scanner.findMember(name))).toBe(name);
    for (const name of ['name_200', 'mode', 'nodel', 'A']) expect(scanner.findMember(name)).toBe(-1);
  });

  it.each([
    ['{"messages":[{"role":"assistant","reasoning":"x"}]}', true],
    ['{"messages":[{"reasoning_content":"x"}]}', true],
    ['{"messages":[{"reasoning_details":[]}]}', true],
    ['{"messages":[{"r\\u0065asoning":"x"}]}', true],
    ['{"messages":[{"content":"\\"reasoning\\":"}],"reasoning_effort":"low"}', false],
  ])('knows whether there may be thinking in %s', (text, expected) => {
    expect(scan(text)).toBe(true);
    expect(scanner.hasThinking).toBe(expected);
    scan('{}');
    expect(scanner.hasThinking).toBe(false);
  });

  it('counts pictures and files, however deep they are and however their keys are written', () => {
    const parts = '[{"type":"image_url","image_url":{"url":"x"}},{"type":"file","file":{"file_id":"f"}},{"image\\u005furl":"y"}]';
    const body = Buffer.from(`{"messages":[{"role":"user","content":${parts}}]}`);
    const scanner = new JsonScanner();
    expect(scanner.scan(body, 0, body.length, { strictKeys: true })).toBe(true);
    expect([scanner.imageCount, scanner.fileCount]).toEqual([2, 1]);
    scanner.scan(Buffer.from('{}'), 0, 2, { strictKeys: true });
    expect([scanner.imageCount, scanner.fileCount]).toEqual([0, 0]);
  });

  it('counts the bytes of language, in arrays and content parts too, and nothing else', () => {
    scan('{"model":"mmmm","messages":[{"role":"user","content":"12345"},{"content":[{"type":"text","text":"678"},{"image_url":{"url":"zzz"}}]}]}');
    expect(scanner.textBytes).toBe(8);
    scan('{"input":["ab","cd"],"user":"x"}');
    expect(scanner.textBytes).toBe(4);
  });
});
