import { createDataSource, runMigrations } from '@weir/platform';
import { chatEvents, Gate, respond } from '@weir/testing';
import { MIGRATIONS } from '../../migrations';
import { createTestDatabase } from '../support/postgres';
import { waitFor } from '../support/wait-for';
import { addKey, addModel, addUpstream } from '../support/weir';
import { NginxServer } from './nginx-server';
import { findReleasedMigrations, hasReleasedCode, RELEASE_BEFORE } from './release-before';
import { ReleasedProgram } from './released-program';
import { Load, TlsCaller } from './tls-caller';
import { MODEL, TwoNodes } from './two-nodes';

const CALLERS = 4;

const nodes = new TwoNodes();
const before = new ReleasedProgram();
let nginx: NginxServer;
let caller: TlsCaller;

const withHistory = hasReleasedCode() ? describe : describe.skip;

withHistory('an upgrade by the guide, from the release before, under load', () => {
  beforeAll(async () => {
    await before.build(RELEASE_BEFORE.commit);
    const database = await createTestDatabase({ empty: true });
    await runMigrations(createDataSource(database.url, 1, [], findReleasedMigrations()));
    await nodes.start({ programFolder: before.folder, database });
    nginx = await NginxServer.prepare({ WEIR_NODES: nodes.places.join(' ') });
    caller = new TlsCaller(nginx.url, await nginx.writeCertificate());
    await nginx.start();
  }, 240_000);
  afterAll(async () => {
    await nginx.stop();
    await nodes.stop();
    before.remove();
  });

  it('fails no call and cuts no stream: migration beside the old version, node by node to the new one, and one back', async () => {
    const gate = new Gate();
    const [first, ...rest] = chatEvents('held');
    nodes.simulator.enqueue(respond.stream(first, gate, ...rest));
    const stream = await caller.open({ path: '/v1/chat/completions', key: nodes.key, body: toBody(true) });
    const load = new Load(CALLERS, () => caller.send({ path: '/v1/chat/completions', key: nodes.key, body: toBody(false) }));
    await waitForMore(load);

    await runMigrations(createDataSource(nodes.database.url, 1, [], MIGRATIONS));
    const atMigration = await countRows();
    await waitForMore(load);
    // The old version writes under the new schema: the ledger, and what its admin asks for.
    await waitFor(async () => (await countRows()) > atMigration, { what: 'rows of the old version' });
    const { key: madeByOld } = await addKey(nodes.nodes[0]);

    gate.open();
    for (const index of nodes.ports.keys()) await replaceNode(index);
    await waitForMore(load);
    // What the old version wrote is there for the new one.
    expect((await caller.send({ path: '/v1/models', method: 'GET', key: madeByOld })).status).toBe(200);
    const { key: madeByNew } = await addKey(nodes.nodes[0]);
    // A kind of upstream and a kind of work that the old version has never heard of.
    const { id: newerUpstream } = await addUpstream(nodes.nodes[0], { name: 'newer', provider: 'trellis', baseUrl: nodes.simulator.origin, secrets: ['sk-newer'] });
    await addModel(nodes.nodes[0], 'newer', [newerUpstream], { operation: 'meshes' });

    await replaceNode(1, before.folder);
    await waitForMore(load);
    await waitFor(async () => (await fetch(`${nodes.url(1)}/v1/models`, { headers: { authorization: `Bearer ${madeByNew}` } })).status === 200, { what: "the old version to know the new one's key" });
    expect(nodes.nodes[1].output).toContain('a row cannot be used and is left out of the pool');

    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await stream.readToEnd()).toContain('[DONE]');
    const answered = load.answered + 1;
    await waitFor(async () => (await countRows()) >= answered, { what: 'the last rows' });
    expect(await countRows()).toBe(answered);
  }, 240_000);
});

const toBody = (stream: boolean): object => ({ model: MODEL, messages: [{ role: 'user', content: 'Hello' }], stream });

/** As the guide says: out, restarted, in. The program is the one of here when no folder is named. */
async function replaceNode(index: number, programFolder?: string): Promise<void> {
  expect(await nginx.runScript('node.sh', 'out', nodes.places[index])).toMatchObject({ code: 0 });
  await nodes.nodes[index].stop();
  expect(nodes.nodes[index].exitCode).toBe(0);
  await nodes.startAgain(index, programFolder);
  expect(await nginx.runScript('node.sh', 'in', nodes.places[index])).toMatchObject({ code: 0 });
}

async function waitForMore(load: Load): Promise<void> {
  const seen = load.answered;
  await waitFor(() => load.answered >= seen + 40, { what: '40 more answers' });
}

async function countRows(): Promise<number> {
  const [{ rows }] = await nodes.database.query<{ rows: string }>("SELECT count(*) AS rows FROM usage_records WHERE status = 'succeeded'");
  return Number(rows);
}
