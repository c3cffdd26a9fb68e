import { WeirError } from '@weir/kernel';
import { checkModerationRequest } from '@weir/wire';

const SECRET = 'my secret prompt';
const PNG = 'iVBORw0KGgo=';
const picture = (url: unknown) => ({ input: [{ type: 'image_url', image_url: { url } }] });

function errorOf(act: () => unknown): WeirError {
  try {
    act();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a request for moderation', () => {
  it.each<[object, object]>([
    [{ input: 'a😀' }, { inputs: 1, characters: 2 }],
    [{ input: ['ab', 'c'], model: 'omni-moderation-latest', anything: 1 }, { inputs: 2, characters: 3 }],
    [{ input: [{ type: 'text', text: 'abc' }, { type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }, { inputs: 2, characters: 3 }],
    [picture(`data:image/png;base64,${PNG}`), { inputs: 1, characters: 0 }],
  ])('is read: %j', (body, facts) => {
    expect(checkModerationRequest(body)).toEqual(facts);
  });

  it.each<[string, unknown, string | null]>([
    ['a body that is a text', SECRET, null],
    ['no input', {}, 'input'],
    ['an empty input', { input: '' }, 'input'],
    ['an empty list', { input: [] }, 'input'],
    ['an empty text', { input: ['a', ''] }, 'input[1]'],
    ['a number', { input: [5] }, 'input[0]'],
    ['a part that is not known', { input: [{ type: SECRET }] }, 'input[0].type'],
    ['a part without a type', { input: [{ text: SECRET }] }, 'input[0].type'],
    ['a text that is missing', { input: [{ type: 'text' }] }, 'input[0].text'],
    ['a picture from the disk', picture('file:///etc/passwd'), 'input[0].image_url.url'],
    ['a picture that lies about its type', picture(`data:image/jpeg;base64,${PNG}`), 'input[0].image_url.url'],
  ])('is refused with its field, and without its words: %s', (_, body, param) => {
    const error = errorOf(() => checkModerationRequest(body));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
    expect(error.message).not.toContain(SECRET);
  });
});
