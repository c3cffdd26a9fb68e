import { spliceMembers } from './splice-members';
import { toLeaveOutSplices } from './to-leave-out-splices';

const leaveOut = (text: string, ...names: string[]): string => {
  const body = Buffer.from(text);
  return spliceMembers(body, toLeaveOutSplices(body, names)).toString('utf8');
};

describe('what is left out of a body', () => {
  it.each([
    ['nothing that is not there', '{"a":1}', ['z'], '{"a":1}'],
    ['the first', '{"a":1, "b":2}', ['a'], '{ "b":2}'],
    ['the last', '{"a":1,"b":{"a":2}}', ['b'], '{"a":1}'],
    ['one in between', '{"a":1 , "b" : "x,y" , "c":3}', ['b'], '{"a":1 , "c":3}'],
    ['the first ones', '{"a":[1,2],"b":2 ,"c":3}', ['b', 'a'], '{"c":3}'],
    ['neighbours', '{"a":1,"b":2,"c":3,"d":4}', ['c', 'b'], '{"a":1,"d":4}'],
    ['all but one', '{"a":1,"b":2,"c":3}', ['a', 'c'], '{"b":2}'],
    ['all', '{ "a":1, "b":2 }', ['a', 'b'], '{ }'],
    ['what is written with escapes', '{"a":1,"us\\u0065r":"x"}', ['user'], '{"a":1}'],
    ['the outermost alone', '{"m":[{"user":1}],"user":2}', ['user'], '{"m":[{"user":1}]}'],
  ])('is %s', (_what, text, names, left) => {
    expect(leaveOut(text, ...names)).toBe(left);
    expect(() => JSON.parse(left)).not.toThrow();
  });

  it('and the rest keeps its bytes: large numbers, odd texts', () => {
    expect(leaveOut('{"n":12345678901234567890,"user":"ü\\u00fc","t":"\\/é"}', 'user')).toBe('{"n":12345678901234567890,"t":"\\/é"}');
  });
});
