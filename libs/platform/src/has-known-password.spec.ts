import { hasKnownPassword } from './has-known-password';

describe('hasKnownPassword', () => {
  it.each([
    ['postgres://weir:weir@db/weir', true],
    ['redis://:FooBared@127.0.0.1', true],
    ['redis://127.0.0.1', false],
    ['postgres://weir:k7%2Fq-long-and-random@db/weir', false],
    ['postgres://weir:%zz@db/weir', false],
  ])('knows the passwords that everybody tries first: %s', (address, isKnown) => {
    expect(hasKnownPassword(address)).toBe(isKnown);
  });
});
