import { imageEdits } from '../../operations/image-edits';
import { transcriptions } from '../../operations/transcriptions';
import { type SpooledFile, type SpooledUpload } from '../multipart/spool-upload';

const PLACE = { model: null, isStream: null, defaults: { embedModel: 'e', rerankModel: 'r' } };
const SOUND = `data:audio/wav;base64,${Buffer.alloc(1_920_044).toString('base64')}`;
const FORMS = [
  ['transcriptions', transcriptions, 'file'],
  ['image edits', imageEdits, 'image'],
] as const;

function toUpload(name: string, fields: Readonly<Record<string, string>>): SpooledUpload {
  const file: SpooledFile = { name, path: '/nowhere', bytes: 100, filename: 'a', mediaType: null, open: () => { throw new Error('not read'); } };
  const all = Object.entries({ model: 'org/model', ...fields }).map(([key, value]) => ({ name: key, value }));
  return { fields: all, files: [file], dispose: () => Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() };
}

describe.each(FORMS)('a form of %s', (_what, definition, fileName) => {
  const read = (fields: Readonly<Record<string, string>>) => definition.form?.readFacts(toUpload(fileName, fields), definition, PLACE);

  it.each(['prompt', 'negative_prompt', 'user'])('may speak of a URL in %s: these are words', (name) => {
    expect(read({ [name]: 'https://example.com/a.png' })).toMatchObject({ model: 'org/model' });
  });

  it.each([['url', 'https://example.com/a'], ['file_url', 'file:///etc/passwd'], ['mask', '/etc/passwd'], ['extra', 'data:text/html,<script>']])('holds nothing in %s that a server would open', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(expect.objectContaining({ code: 'invalid_request', param: name }));
  });

  it('may bring sound in its own bytes', () => {
    expect(read({ 'known_speaker_references[]': SOUND })).toMatchObject({ model: 'org/model' });
  });
});
