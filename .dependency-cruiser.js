const FEATURES = ['access', 'vault', 'upstreams', 'limits', 'ledger', 'voices'];
const lib = (name) => `^libs/${name}/`;

/** What a lib may import besides itself and packages. Everything else is refused. */
const ALLOWED = {
  kernel: [],
  wire: ['kernel'],
  platform: ['kernel'],
  providers: ['kernel', 'wire'],
  access: ['kernel', 'platform'],
  vault: ['kernel', 'platform'],
  limits: ['kernel', 'platform'],
  ledger: ['kernel', 'platform'],
  voices: ['kernel', 'platform'],
  upstreams: ['kernel', 'platform', 'providers'],
  testing: ['kernel', 'wire', 'providers', 'platform'],
};

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    ...Object.entries(ALLOWED).map(([name, allowed]) => ({
      name: `${name}-imports-only-${allowed.join('-and-') || 'itself'}`,
      severity: 'error',
      from: { path: lib(name), pathNot: '\\.spec\\.ts$' },
      to: { path: '^(libs|apps|scripts|migrations|test|bench)/', pathNot: [lib(name), ...allowed.map(lib)] },
    })),
    {
      name: 'features-never-import-each-other-even-in-tests',
      severity: 'error',
      from: { path: `^libs/(${FEATURES.join('|')})/` },
      to: { path: `^libs/(${FEATURES.join('|')})/`, pathNot: '^libs/$1/' },
    },
    {
      name: 'a-lib-has-one-front-door',
      comment: 'Import @weir/<lib>, never a file inside another lib.',
      severity: 'error',
      from: { path: '^(libs/([^/]+)|apps|scripts|test|bench)/' },
      to: { path: '^libs/([^/]+)/', pathNot: ['^libs/[^/]+/src/index\\.ts$', '^libs/$2/'] },
    },
    {
      name: 'readers-of-bodies-know-no-operation',
      comment: 'Each operation names its reader in data-plane/facts; the other way, only types go.',
      severity: 'error',
      from: { path: '^apps/gateway/src/data-plane/facts/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^apps/gateway/src/operations/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'testing-is-for-tests',
      severity: 'error',
      from: { path: '^(apps|libs|scripts|migrations)/', pathNot: ['\\.spec\\.ts$', '^libs/testing/'] },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'only-the-transport-opens-outbound-connections',
      comment: 'libs/upstreams holds the only outbound transport.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/(upstreams|testing)/', '\\.spec\\.ts$'] },
      to: { path: 'node_modules/undici/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|node_modules/.*/node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default'], extensions: ['.ts', '.js', '.json'] },
  },
};
