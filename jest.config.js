const { paths } = require('./tsconfig.json').compilerOptions;

const aliases = Object.fromEntries(
  Object.entries(paths).map(([alias, [folder]]) => [`^${alias}$`, `<rootDir>/${folder.slice(2)}`]),
);

/** @type {import('jest').Config} */
module.exports = {
  rootDir: __dirname,
  testEnvironment: 'node',
  globalSetup: '<rootDir>/test/global-setup.ts',
  globalTeardown: '<rootDir>/test/global-teardown.ts',
  testMatch: ['<rootDir>/{apps,libs,scripts}/**/*.spec.ts', '<rootDir>/test/**/*.e2e.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  moduleNameMapper: aliases,
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          target: 'es2023',
          keepClassNames: true,
          // Global setup runs outside Jest's module registry, where moduleNameMapper does not reach.
          baseUrl: __dirname,
          paths: Object.fromEntries(Object.entries(paths).map(([alias, [folder]]) => [alias, [folder.slice(2)]])),
        },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  // For a machine ten times slower than a developer's: a test that hangs fails late, one that is slow does not fail.
  testTimeout: 180_000,
  testSequencer: '<rootDir>/test/waiting-first-sequencer.js',
  // More than there are cores to count on: tests wait for processes, timers and disks more than they compute.
  maxWorkers: 3,
};
