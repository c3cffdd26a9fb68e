import { toInsertFailure } from './to-insert-failure';

describe('toInsertFailure', () => {
  it.each([
    [{ code: '22P02' }, 'content'],
    [{ code: '23502' }, 'content'],
    [{ code: '23514', constraint: 'usage_records_status_check' }, 'content'],
    [{ code: '54000' }, 'content'],
    // A month attached under an insert's feet.
    [{ code: '23514', table: 'usage_records_default' }, 'passing'],
    [{ code: '57P01' }, 'passing'],
    [{ code: '42P01' }, 'passing'],
    [{ code: '40P01' }, 'passing'],
    [{ code: 'ECONNREFUSED' }, 'passing'],
    // Half of it may be quick enough.
    [{ code: '57014' }, 'slow'],
    [new Error('Query read timeout'), 'slow'],
    [undefined, 'passing'],
  ])('holds %j to be %s', (error, failure) => {
    expect(toInsertFailure(error)).toBe(failure);
  });
});
