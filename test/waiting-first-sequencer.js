const { default: Sequencer } = require('@jest/test-sequencer');

/** They mostly wait: begun first, they do so beside the others, and none of them is waited for at the end. */
const WAITING = ['test/crash.e2e.ts', 'test/meter-outages.e2e.ts', 'test/shared-limits.e2e.ts', 'libs/limits/simulation/meter-simulation.spec.ts'];

module.exports = class WaitingFirstSequencer extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const place = WAITING.findIndex((name) => path.endsWith(`/${name}`));
      return place < 0 ? WAITING.length : place;
    };
    return [...super.sort(tests)].sort((one, other) => rank(one) - rank(other));
  }
};
