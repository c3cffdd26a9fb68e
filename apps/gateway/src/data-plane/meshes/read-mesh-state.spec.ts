import { readMeshState } from './read-mesh-state';

const read = (value: unknown) => readMeshState(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

describe("an upstream's word about a mesh", () => {
  it('is understood as SGLang writes it', () => {
    const answer = { id: 'a1-b2', object: 'mesh', model: '', status: 'queued', progress: 0, created_at: 1, format: 'glb', url: null, error: null, file_path: '/outputs/a.glb' };
    expect(read(answer)).toEqual({ id: 'a1-b2', status: 'working', progress: 0 });
    expect(read({ ...answer, status: 'completed', progress: 100 })).toEqual({ id: 'a1-b2', status: 'completed', progress: 100 });
    expect(read({ ...answer, status: 'failed', error: { message: 'x' } })).toMatchObject({ status: 'failed' });
  });

  it.each([['no JSON', '<html>'], ['null', 'null'], ['no id', { status: 'queued' }], ['no status', { id: 'a' }], ['an id that is a path', { id: '../v1/models', status: 'queued' }], ['dots', { id: '..', status: 'queued' }], ['a query', { id: 'a?b', status: 'queued' }], ['a line break', { id: 'a\nb', status: 'queued' }], ['an id without end', { id: 'a'.repeat(201), status: 'queued' }]])('is not taken from %s', (_what, value) => {
    expect(read(value)).toBeNull();
  });

  it.each([[-5, 0], [250, 100], [49.9, 49], ['7', 0]])('keeps a progress of %j within bounds', (progress, expected) => {
    expect(read({ id: 'a', status: 'in_progress', progress })?.progress).toBe(expected);
  });
});
