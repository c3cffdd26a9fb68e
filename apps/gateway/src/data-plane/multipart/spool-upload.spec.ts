import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeirError } from '@weir/kernel';
import { RawClient } from '@weir/testing';
import { waitFor } from '../../../../../test/support/wait-for';
import { MultipartEncoder } from './multipart-encoder';
import { type MultipartForm } from './multipart-form';
import { spoolUpload, type SpooledUpload } from './spool-upload';
import { UploadFolder } from './upload-folder';

const FORM: MultipartForm = { parts: new Map([['model', { kind: 'text', isRequired: true }], ['file', { kind: 'file', isRequired: true, mayRepeat: true }]]) };

let server: Server;
let port: number;
let path: string;
let folder: UploadFolder;
let use: (upload: SpooledUpload) => Promise<unknown>;
let outcome: Promise<unknown>;

async function answer(request: IncomingMessage): Promise<unknown> {
  try {
    await using upload = await spoolUpload(request, FORM, { maxFileBytes: 1_000_000 }, folder, 'organization');
    return await use(upload);
  } catch (error) {
    return { code: error instanceof WeirError ? error.code : String(error) };
  }
}

beforeAll(async () => {
  server = createServer((request, response) => {
    outcome = answer(request);
    void outcome.then((seen) => response.end(JSON.stringify(seen)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'weir-uploads-')), 'uploads');
  folder = new UploadFolder(path);
});
afterEach(() => rm(join(path, '..'), { recursive: true, force: true }));

async function post(form: FormData): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: form })).json();
}

function goodForm(): FormData {
  const form = new FormData();
  form.set('file', new File([Buffer.alloc(300_000, 3)], 'speech.mp3', { type: 'audio/mpeg' }));
  form.set('model', 'whisper-1');
  return form;
}

describe('spoolUpload', () => {
  it('keeps the file on the disk, for its owner alone, while the request lasts, and sends it as often as it is tried', async () => {
    use = async ({ fields, files: [file] }) => {
      const encoder = new MultipartEncoder([...fields.map((field) => ({ kind: 'text' as const, ...field })), { kind: 'file', ...file }]);
      const sent: number[] = [];
      for (let tries = 0; tries < 2; tries++) {
        let bytes = 0;
        for await (const chunk of encoder.body()) bytes += chunk.length;
        sent.push(bytes - encoder.contentLength);
      }
      const { mode } = await stat(file.path);
      return { fields, filename: file.filename, mediaType: file.mediaType, bytes: file.bytes, same: (await readFile(file.path)).equals(Buffer.alloc(300_000, 3)), mode: mode & 0o777, sent };
    };
    expect(await post(goodForm())).toEqual({ fields: [{ name: 'model', value: 'whisper-1' }], filename: 'speech.mp3', mediaType: 'audio/mpeg', bytes: 300_000, same: true, mode: 0o600, sent: [0, 0] });
    expect(await readdir(path)).toEqual([]);
  });

  it('deletes every file when the request fails', async () => {
    use = () => Promise.reject(new WeirError('upstream_error'));
    expect(await post(goodForm())).toEqual({ code: 'upstream_error' });
    expect(await readdir(path)).toEqual([]);
  });

  it('deletes every file when the form is not valid behind them', async () => {
    const part = `--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n${'x'.repeat(100_000)}\r\n`;
    const client = await RawClient.connect(port);
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 900000\r\n\r\n${part}${part}`);
    // The second is begun when the first is whole.
    await waitFor(async () => (await readdir(path)).length === 2, { what: 'both files' });
    client.send('--b\r\nContent-Disposition: form-data; name="language"\r\n\r\nen\r\n--b--');
    expect(await client.readUntil('"code"')).toContain('invalid_request');
    expect(await readdir(path)).toEqual([]);
    client.leave();
  });

  it('deletes what had come when the caller leaves', async () => {
    const client = await RawClient.connect(port);
    const head = `--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n`;
    client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 900000\r\n\r\n${head}${'x'.repeat(100_000)}`);
    await waitFor(async () => (await readdir(path)).length === 1, { what: 'the file' });
    client.reset();
    await waitFor(async () => (await readdir(path)).length === 0, { what: 'the file to go' });
    expect(await outcome).toEqual({ code: 'client_closed_request' });
  });

  it('says that uploads cannot be taken when the disk does not take them', async () => {
    await writeFile(path, 'a file where the folder should be');
    expect(await post(goodForm())).toEqual({ code: 'no_upstream_available' });
  });
});

describe('UploadFolder', () => {
  it('starts empty, whatever a process that died has left', async () => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'left.upload'), 'x');
    await folder.clean();
    expect(await readdir(path)).toEqual([]);
  });
});
