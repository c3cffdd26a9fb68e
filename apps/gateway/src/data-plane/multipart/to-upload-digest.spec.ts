import { Readable } from 'node:stream';
import { type SpooledFile, type SpooledUpload } from './spool-upload';
import { toUploadDigest } from './to-upload-digest';

const file = (content: string, filename = 'a.wav'): SpooledFile => ({
  name: 'file',
  path: '/nowhere',
  bytes: content.length,
  filename,
  mediaType: 'audio/wav',
  open: () => Readable.from([Buffer.from(content)], { objectMode: false }),
});
const form = (model: string, ...files: SpooledFile[]): SpooledUpload => ({ fields: [{ name: 'model', value: model }], files, dispose: () => Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() });

describe('toUploadDigest', () => {
  it('is the same for the same form', async () => {
    expect(await toUploadDigest(form('m', file('one')))).toEqual(await toUploadDigest(form('m', file('one'))));
  });

  it.each([
    ['another text', form('n', file('one'))],
    ['another file of the same length', form('m', file('two'))],
    ['another name of the file', form('m', file('one', 'b.wav'))],
    ['one file more', form('m', file('one'), file('one'))],
    ['the same bytes in two files', form('m', file('on'), file('e'))],
  ])('differs for %s', async (_what, other) => {
    expect(await toUploadDigest(other)).not.toEqual(await toUploadDigest(form('m', file('one'))));
  });
});
