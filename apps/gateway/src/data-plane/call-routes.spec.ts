import { type Caller } from '@weir/access';
import { type ModelRoute } from '@weir/upstreams';
import { getCallRoutes } from './call-routes';

const route = (name: string, operation = 'chat'): ModelRoute => ({ name, operation }) as unknown as ModelRoute;
const caller = (models: readonly string[] | null): Caller => ({ models: models === null ? null : new Set(models) }) as unknown as Caller;

describe('getCallRoutes', () => {
  it.each([
    [null, ['asked', 'b', 'c/d']],
    [['asked'], ['asked']],
    [['asked', 'c/*'], ['asked', 'c/d']],
    [['asked', 'b', 'c/d'], ['asked', 'b', 'c/d']],
  ])('a caller that may use %j may be answered by %j', (models, expected) => {
    const pool = { findRoute: (name: string) => route(name), findFallbacks: () => [{ model: 'b', route: route('b') }, { model: 'c/d', route: route('c/*') }] };
    const routes = getCallRoutes(pool, caller(models), 'chat', 'asked');
    expect(routes.map(({ model }) => model)).toEqual(expected);
    expect(routes[0].route).toMatchObject({ name: 'asked' });
  });

  it('without fallbacks there is one', () => {
    expect(getCallRoutes({ findRoute: () => route('a*'), findFallbacks: () => [] }, caller(null), 'chat', 'abc')).toEqual([{ route: route('a*'), model: 'abc' }]);
  });

  it.each([
    ['is not there', null, null, 'model_not_found'],
    ['does other work', route('asked', 'rerank'), null, 'model_not_found'],
    ['the key may not use', route('asked'), ['another'], 'model_not_allowed'],
  ])('a model that %s is refused', (_what, found, models, code) => {
    const pool = { findRoute: () => found, findFallbacks: () => [] };
    expect(() => getCallRoutes(pool, caller(models), 'chat', 'asked')).toThrow(expect.objectContaining({ code, param: 'model' }));
  });
});
