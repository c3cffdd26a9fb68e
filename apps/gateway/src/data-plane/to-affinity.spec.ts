import { toAffinity } from './to-affinity';

const hash = (body: unknown, keyId = 'key-1'): number => toAffinity(keyId, { body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) });
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

describe('toAffinity', () => {
  it('is a number of 32 bits, and of the key', () => {
    const one = hash({ messages: [user('Hi')] });
    expect(one).toBe(one >>> 0);
    expect(hash({ messages: [user('Hi')] })).toBe(one);
    expect(hash({ messages: [user('Hi')] }, 'key-2')).not.toBe(one);
  });

  it.each([
    ['messages', 'role', 'user', 'assistant'],
    ['contents', 'role', 'user', 'model'],
    ['input', 'role', 'user', 'assistant'],
  ])('stays while a conversation in %s grows, however short its beginning', (member, role, asker, answerer) => {
    const turns = [{ [role]: asker, text: 'How it began' }, { [role]: answerer, text: 'So' }, { [role]: asker, text: 'And then?' }];
    const begun = hash({ model: 'm', [member]: turns.slice(0, 1) });
    expect(hash({ model: 'm', [member]: turns, temperature: 1 })).toBe(begun);
    expect(hash({ model: 'm', [member]: [{ [role]: asker, text: 'Another' }] })).not.toBe(begun);
  });

  it('takes what stands before the first word of the user’s in', () => {
    const system = (content: string) => ({ role: 'system', content });
    const begun = hash({ messages: [system('Be short.'), user('Hi')] });
    expect(hash({ messages: [system('Be short.'), user('Hi'), assistant('Hello'), user('?')] })).toBe(begun);
    expect(hash({ messages: [system('Be long.'), user('Hi')] })).not.toBe(begun);
    expect(hash({ messages: [system('Be short.'), user('Ho')] })).not.toBe(begun);
    expect(hash({ system: 'Be short.', messages: [user('Hi')] })).not.toBe(hash({ system: 'Be long.', messages: [user('Hi')] }));
  });

  it('is not confused by what looks like a message in a text', () => {
    const text = 'He said: {"role":"user"}] \\ " ,';
    expect(hash({ messages: [{ role: 'system', content: text }, user('Hi'), assistant('a')] })).toBe(hash({ messages: [{ role: 'system', content: text }, user('Hi')] }));
    expect(hash({ messages: [{ role: 'system', content: text }, user('Hi')] })).not.toBe(hash({ messages: [{ role: 'system', content: text }, user('Ho')] }));
  });

  it('looks at the first kilobyte of a long beginning', () => {
    const long = 'x'.repeat(2_000);
    expect(hash({ messages: [user(`${long}a`)] })).toBe(hash({ messages: [user(`${long}b`)] }));
    expect(hash({ prompt: `a${long}` })).not.toBe(hash({ prompt: `b${long}` }));
  });

  it.each(['prompt_cache_key', 'safety_identifier', 'user'])('takes the caller’s word for it: %s', (name) => {
    expect(hash({ [name]: 'ada', messages: [user('Hi')] })).toBe(hash({ messages: [user('Ho'), assistant('x')], [name]: 'ada' }));
    expect(hash({ [name]: 'ada', messages: [user('Hi')] })).not.toBe(hash({ [name]: 'bob', messages: [user('Hi')] }));
  });

  it('the nearer name of several counts, and one that says nothing does not', () => {
    expect(hash({ user: 'ada', prompt_cache_key: 'k', messages: [] })).toBe(hash({ user: 'bob', prompt_cache_key: 'k', messages: [user('x')] }));
    for (const nobody of ['', null, 7, {}]) expect(hash({ user: nobody, messages: [user('Hi')] })).not.toBe(hash({ user: nobody, messages: [user('Ho')] }));
  });

  it.each(['', 'no json', '[]', '{}', '"text"'])('of %j it is the key’s', (body) => {
    expect(hash(body)).toBe(hash(''));
  });
});
