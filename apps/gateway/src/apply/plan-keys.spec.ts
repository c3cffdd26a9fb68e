import { planKeys } from './plan-keys';

const HELD = [
  { id: '1', label: 'main' },
  { id: '2', label: 'spare' },
];

describe('planKeys', () => {
  it('keeps a secret that is held under its label', () => {
    expect(planKeys([{ label: 'main', heldId: '1' }], HELD)).toEqual({
      steps: [{ action: 'keep', key: { label: 'main', heldId: '1' }, id: '1' }],
      unnamed: [HELD[1]],
    });
  });

  it('puts a new secret in the place of the one with its label', () => {
    expect(planKeys([{ label: 'main', heldId: null }], HELD).steps).toMatchObject([{ action: 'replace', id: '1' }]);
  });

  it('adds a secret under a new label', () => {
    expect(planKeys([{ label: 'third', heldId: null }], HELD)).toMatchObject({ steps: [{ action: 'add' }], unnamed: HELD });
  });

  it('renames a secret that is held under another label', () => {
    expect(planKeys([{ label: 'other', heldId: '2' }], HELD).steps).toMatchObject([{ action: 'rename', id: '2', oldLabel: 'spare' }]);
  });

  it('never gives one held key to two of the file, even where labels are exchanged', () => {
    const { steps, unnamed } = planKeys([{ label: 'spare', heldId: '1' }, { label: 'main', heldId: '2' }], HELD);
    expect(steps).toMatchObject([{ action: 'rename', id: '1' }, { action: 'rename', id: '2' }]);
    expect(unnamed).toEqual([]);
    // The label `main` belongs to a secret that stays: a new secret of that name is another key.
    expect(planKeys([{ label: 'x', heldId: '1' }, { label: 'main', heldId: null }], HELD).steps).toMatchObject([{ action: 'rename' }, { action: 'add' }]);
  });
});
