import { Secret } from '@weir/kernel';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { S3Simulator } from '../../../../test/support/s3-simulator';
import { waitFor } from '../../../../test/support/wait-for';
import { BlobMissing, type BlobStore } from './blob-store';
import { DiskBlobStore } from './disk-blob-store';
import { type S3Options, S3BlobStore } from './s3-blob-store';
import { sweepOrphans } from './sweep-orphans';

type FileName = `file_${string}`;

const isFileName = (value: unknown): value is FileName => typeof value === 'string' && /^file_[0-9a-f]{32}$/.test(value);
const newFileName = (): FileName => `file_${randomUUID().replaceAll('-', '')}`;

const MEGABYTE = 1024 * 1024;
const KEYS = { accessKeyId: 'AKIAWEIR', secretAccessKey: 'canary-secret', region: 'eu-test-1' };
const TIMEOUTS = { connectMs: 2000, requestMs: 2000, callMs: 4000 };

/** A store with what a test must see of it from outside. */
interface Bench {
  readonly store: BlobStore<FileName>;
  /** Names of everything that the store keeps, finished or not. */
  names(): Promise<string[]>;
  age(name: FileName, storedAtMs: number): Promise<void>;
  /** Leaves behind what a process leaves that dies in a `put`. */
  leaveUnfinished(storedAtMs: number): Promise<void>;
  /** From now on nothing can be stored. */
  breakDown(): Promise<void>;
  end(): Promise<void>;
}

let folder: string;
let bench: Bench;

async function makeDisk(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'weir-blobs-'));
  const inside = join(root, 'files');
  return {
    store: new DiskBlobStore(inside, isFileName),
    names: async () => (await readdir(inside, { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) => entry.isFile()).map(({ name }) => name),
    age: (name, storedAtMs) => utimes(join(inside, folder, name), storedAtMs / 1000, storedAtMs / 1000),
    leaveUnfinished: async (storedAtMs) => {
      const path = join(inside, folder, `${newFileName()}.abcdef.tmp`);
      await writeFile(path, 'half');
      await utimes(path, storedAtMs / 1000, storedAtMs / 1000);
    },
    breakDown: async () => {
      await rm(inside, { recursive: true, force: true });
      await writeFile(inside, 'a file where the folder should be');
    },
    end: () => rm(root, { recursive: true, force: true }),
  };
}

function toOptions(endpoint: string, secret = KEYS.secretAccessKey): S3Options {
  const credentials = { accessKeyId: KEYS.accessKeyId, secretAccessKey: new Secret(secret) };
  return { endpoint, bucket: 'weir-files', region: KEYS.region, credentials, prefix: "it's here/", pathStyle: true };
}

async function makeS3(): Promise<Bench & { simulator: S3Simulator }> {
  const simulator = await S3Simulator.start('weir-files', KEYS);
  const store = await S3BlobStore.create(toOptions(simulator.endpoint), isFileName, TIMEOUTS);
  const toKey = (name: string): string => `it's here/${folder}/${name}`;
  return {
    store,
    simulator,
    names: () => Promise.resolve([...simulator.objects.keys(), ...[...simulator.uploads.values()].map(({ key }) => `${key}.unfinished`)].map((key) => key.slice(toKey('').length))),
    age: (name, storedAtMs) => {
      simulator.objects.set(toKey(name), { ...simulator.objects.get(toKey(name))!, storedAtMs });
      return Promise.resolve();
    },
    leaveUnfinished: (storedAtMs) => {
      simulator.uploads.set(randomUUID(), { key: toKey(newFileName()), initiatedAtMs: storedAtMs, parts: new Map() });
      return Promise.resolve();
    },
    breakDown: () => simulator.stop(),
    end: async () => {
      store.close();
      await simulator.stop();
    },
  };
}

async function read(content: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** In pieces, as an upload comes. */
function toStream(bytes: Buffer, piece = 60_000): Readable {
  return Readable.from(
    Array.from({ length: Math.ceil(bytes.length / piece) }, (_, index) => bytes.subarray(index * piece, (index + 1) * piece)),
    { objectMode: false },
  );
}

async function listAll(store: BlobStore<FileName>): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(folder)) names.push(name);
  return names.sort();
}

beforeEach(() => {
  folder = randomUUID();
});
afterEach(() => bench.end());

describe.each([
  ['disk', makeDisk],
  ['S3', makeS3],
])('a store of files on %s', (_kind, make) => {
  beforeEach(async () => {
    bench = await make();
  });

  it.each([['one byte', 1], ['some', 100_000], ['exactly two parts', 10 * MEGABYTE], ['two parts and a byte', 10 * MEGABYTE + 1]])('gives back what it was given: %s', async (_what, bytes) => {
    const content = randomBytes(bytes);
    const place = { folder, name: newFileName() };
    await bench.store.put(place, toStream(content));
    const opened = await bench.store.open(place);
    expect(opened.bytes).toBe(bytes);
    expect((await read(opened.content)).equals(content)).toBe(true);
    expect(await bench.names()).toEqual([place.name]);
  });

  it.each([['before its first part', 10_000], ['in its second part', 7 * MEGABYTE]])('stores nothing when the upload breaks off %s, and says why', async (_what, bytes) => {
    const gone = new Error('the caller left');
    const content = Readable.from((function* () {
      for (let sent = 0; sent < bytes; sent += 50_000) yield Buffer.alloc(50_000);
      throw gone;
    })(), { objectMode: false });
    await expect(bench.store.put({ folder, name: newFileName() }, content)).rejects.toBe(gone);
    await waitFor(async () => (await bench.names()).length === 0, { what: 'the store to be empty' });
  });

  it('ends a put at once when it is aborted, and stores nothing', async () => {
    const controller = new AbortController();
    const content = new Readable({ read: () => undefined });
    content.push(Buffer.alloc(1000));
    const put = bench.store.put({ folder, name: newFileName() }, content, controller.signal);
    controller.abort(new Error('enough'));
    await expect(put).rejects.toThrow('enough');
    expect([content.destroyed, await bench.names()]).toEqual([true, []]);
  });

  it('deletes a file, and one that is not there', async () => {
    const place = { folder, name: newFileName() };
    await bench.store.put(place, toStream(Buffer.from('x')));
    await bench.store.delete(place);
    await bench.store.delete(place);
    await expect(bench.store.open(place)).rejects.toThrow(BlobMissing);
  });

  it('lists every whole file of its folder, and no other', async () => {
    expect(await listAll(bench.store)).toEqual([]);
    const names = Array.from({ length: 8 }, () => newFileName());
    for (const name of names) await bench.store.put({ folder, name }, toStream(Buffer.from('x')));
    await bench.store.put({ folder: randomUUID(), name: newFileName() }, toStream(Buffer.from('x')));
    await bench.leaveUnfinished(1000);
    expect(await listAll(bench.store)).toEqual([...names].sort());
  });

  it('tells when a file was stored', async () => {
    const place = { folder, name: newFileName() };
    await bench.store.put(place, toStream(Buffer.from('x')));
    await bench.age(place.name, 1_700_000_000_000);
    for await (const file of bench.store.list(folder)) expect(file).toEqual({ name: place.name, storedAtMs: 1_700_000_000_000 });
  });

  it('throws away what puts have left unfinished, but none that may still run', async () => {
    await bench.store.put({ folder, name: newFileName() }, toStream(Buffer.from('x')));
    for (const storedAtMs of [1000, 2000, 3000, 4000, 9000]) await bench.leaveUnfinished(storedAtMs);
    expect(await bench.store.dropUnfinished(folder, 9000)).toBe(4);
    expect(await bench.names()).toHaveLength(2);
  });

  it('is swept of what has no row and is old enough, batch by batch, and of nothing else', async () => {
    const names = Array.from({ length: 5 }, () => newFileName());
    for (const name of names) await bench.store.put({ folder, name }, toStream(Buffer.from('x')));
    for (const name of names.slice(0, 4)) await bench.age(name, 1000);
    await bench.leaveUnfinished(1000);
    const findUnknown = (old: readonly FileName[]): Promise<FileName[]> => Promise.resolve(old.filter((name) => name !== names[0]));
    expect(await sweepOrphans({ store: bench.store, folder, beforeMs: 2000, findUnknown })).toBe(4);
    expect(await listAll(bench.store)).toEqual([names[0], names[4]].sort());
  });

  it('is unavailable when it cannot be reached, in every call', async () => {
    await bench.breakDown();
    const place = { folder, name: newFileName() };
    const expected = { code: 'no_upstream_available', retryAfterMs: 5000 };
    await expect(bench.store.put(place, toStream(Buffer.from('x')))).rejects.toMatchObject(expected);
    await expect(bench.store.put(place, toStream(Buffer.alloc(7 * MEGABYTE)))).rejects.toMatchObject(expected);
    await expect(bench.store.open(place)).rejects.toMatchObject(expected);
    await expect(bench.store.delete(place)).rejects.toMatchObject(expected);
    await expect(listAll(bench.store)).rejects.toMatchObject(expected);
    await expect(bench.store.dropUnfinished(folder, 1)).rejects.toMatchObject(expected);
  });

  it.each(['../../etc/passwd', 'file_', `file_${'0'.repeat(31)}/`, ''])('makes no path of what is no name of its files: %j', async (name) => {
    const place = { folder, name: name as FileName };
    await expect(bench.store.open(place)).rejects.toThrow('not the place of a file');
    await expect(bench.store.put(place, toStream(Buffer.from('x')))).rejects.toThrow('not the place of a file');
    await expect(bench.store.delete({ folder: '..', name: newFileName() })).rejects.toThrow('not the place of a file');
  });
});

describe('a store of files on disk', () => {
  beforeEach(async () => {
    bench = await makeDisk();
  });

  it('shows no file before it is whole', async () => {
    const place = { folder, name: newFileName() };
    const content = new Readable({ read: () => undefined });
    content.push(Buffer.alloc(1000));
    const put = bench.store.put(place, content);
    await waitFor(async () => (await bench.names()).length === 1, { what: 'the unfinished file' });
    await expect(bench.store.open(place)).rejects.toThrow(BlobMissing);
    expect(await listAll(bench.store)).toEqual([]);
    content.push(null);
    await put;
    expect(await listAll(bench.store)).toEqual([place.name]);
  });

  it('keeps files that only their owner can read', async () => {
    const root = await mkdtemp(join(tmpdir(), 'weir-blobs-'));
    const name = newFileName();
    await new DiskBlobStore(join(root, 'files'), isFileName).put({ folder, name }, toStream(Buffer.from('x')));
    const modes = await Promise.all([`files/${folder}`, `files/${folder}/${name}`].map(async (path) => (await stat(join(root, path))).mode & 0o777));
    expect(modes).toEqual([0o700, 0o600]);
    await rm(root, { recursive: true });
  });
});

describe('a store of files on S3', () => {
  let simulator: S3Simulator;

  beforeEach(async () => {
    const made = await makeS3();
    bench = made;
    simulator = made.simulator;
  });

  it('sends parts of 5 MB, and takes them back when the store refuses the last', async () => {
    await bench.store.put({ folder, name: newFileName() }, toStream(Buffer.alloc(12 * MEGABYTE)));
    expect(simulator.calls).toEqual(['CreateMultipartUpload', 'UploadPart', 'UploadPart', 'UploadPart', 'CompleteMultipartUpload']);
    await bench.store.put({ folder, name: newFileName() }, toStream(Buffer.alloc(100)));
    expect(simulator.calls.slice(5)).toEqual(['PutObject']);
  });

  it('signs with its secret: another one is refused by the store, and named nowhere', async () => {
    const store = await S3BlobStore.create(toOptions(simulator.endpoint, 'wrong-canary'), isFileName, TIMEOUTS);
    const error: unknown = await store.put({ folder, name: newFileName() }, toStream(Buffer.from('x'))).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'no_upstream_available', detail: 's3: SignatureDoesNotMatch 403' });
    expect(JSON.stringify([error, String(error), Object.getOwnPropertyDescriptors(error)])).not.toMatch(/canary|AKIAWEIR|127\.0\.0\.1/);
    store.close();
  });

  it('ends a put at once when its sender leaves while the store hangs', async () => {
    simulator.isHanging = true;
    const content = new Readable({ read: () => undefined });
    content.push(Buffer.alloc(6 * MEGABYTE));
    const put = bench.store.put({ folder, name: newFileName() }, content);
    const gone = new Error('the caller left');
    setImmediate(() => content.destroy(gone));
    await expect(put).rejects.toBe(gone);
  });

  it.each(['put', 'open', 'delete', 'list'] as const)('ends a %s of a store that takes requests and never answers', async (call) => {
    simulator.isHanging = true;
    const place = { folder, name: newFileName() };
    const calls = { put: () => bench.store.put(place, toStream(Buffer.from('x'))), open: () => bench.store.open(place), delete: () => bench.store.delete(place), list: () => listAll(bench.store) };
    await expect(calls[call]()).rejects.toMatchObject({ code: 'no_upstream_available' });
  });

  it('holds memory flat while it takes 50 MB', async () => {
    // Says yes to everything and keeps nothing: what is measured is the store's own.
    const yes = createHttpServer((request, response) => {
      request.resume().once('end', () => response.writeHead(200, { etag: '"x"' }).end(request.method === 'POST' ? '<R><UploadId>u</UploadId></R>' : ''));
    });
    yes.listen(0, '127.0.0.1');
    await once(yes, 'listening');
    const store = await S3BlobStore.create(toOptions(`http://127.0.0.1:${(yes.address() as AddressInfo).port}`), isFileName, { ...TIMEOUTS, requestMs: 5000 });
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      return process.memoryUsage().heapUsed + process.memoryUsage().external;
    };
    await store.put({ folder, name: newFileName() }, toStream(Buffer.alloc(100)));
    const before = used();
    let most = 0;
    const content = Readable.from((function* () {
      for (let megabytes = 0; megabytes < 50; megabytes++) {
        for (let count = 0; count < 16; count++) yield Buffer.alloc(65_536);
        if (megabytes % 3 === 2) most = Math.max(most, used() - before);
      }
    })(), { objectMode: false });
    await store.put({ folder, name: newFileName() }, content);
    store.close();
    yes.closeAllConnections();
    yes.close();
    expect(most).toBeLessThan(16 * MEGABYTE);
  });

  it('ends a read that stops in the middle', async () => {
    // Sends the head and a part of the body, and then nothing.
    const silent = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf')));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const store = await S3BlobStore.create(toOptions(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`), isFileName, TIMEOUTS);
    const { content } = await store.open({ folder, name: newFileName() });
    await expect(read(content)).rejects.toThrow();
    store.close();
    silent.close();
  });
});
