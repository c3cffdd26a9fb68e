import { type Caller } from '@weir/access';
import { type ModelRoute } from '@weir/upstreams';
import { toCallRoutes } from './call-routes';

const route = (name: string): ModelRoute => ({ name }) as unknown as ModelRoute;
const caller = (models: readonly string[] | null): Caller => ({ models: models === null ? null : new Set(models) }) as unknown as Caller;

describe('toCallRoutes', () => {
  it.each([
    [null, ['asked', 'b', 'c/d']],
    [['asked'], ['asked']],
    [['asked', 'c/*'], ['asked', 'c/d']],
    [['asked', 'b', 'c/d'], ['asked', 'b', 'c/d']],
  ])('a caller that may use %j may be answered by %j', (models, expected) => {
    const pool = { findFallbacks: () => [{ model: 'b', route: route('b') }, { model: 'c/d', route: route('c/*') }] };
    const routes = toCallRoutes(pool, caller(models), route('asked'), 'asked');
    expect(routes.map(({ model }) => model)).toEqual(expected);
    expect(routes[0].route).toMatchObject({ name: 'asked' });
  });

  it('without fallbacks there is one', () => {
    expect(toCallRoutes({ findFallbacks: () => [] }, caller([]), route('a*'), 'abc')).toEqual([{ route: route('a*'), model: 'abc' }]);
  });
});
