import { UpstreamSimulator } from '@weir/testing';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { createTestRedis, type TestRedis } from '../support/redis';
import { waitFor } from '../support/wait-for';
import { addModel, addUpstream, Weir } from '../support/weir';
import { findFreePort } from '../support/find-free-port';

export const MODEL = 'behind-nginx';
/** For 40 MB in one body. */
const LARGE = '50m';

export interface TwoNodesOptions {
  /** Where the program was built; the one of here when absent. */
  readonly programFolder?: string;
  /** A database with another schema than today's. It goes with the nodes. */
  readonly database?: TestDatabase;
}

/** Two Weirs of one installation, each on a port that stays its own across restarts. */
export class TwoNodes {
  readonly simulator = new UpstreamSimulator();
  database: TestDatabase;
  redis: TestRedis;
  ports: number[] = [];
  nodes: Weir[] = [];
  key: string;
  readonly #folders: string[] = [];

  async start({ programFolder, database }: TwoNodesOptions = {}): Promise<void> {
    await this.simulator.start();
    this.database = database ?? (await createTestDatabase());
    this.redis = await createTestRedis();
    this.ports = [await findFreePort(), await findFreePort()];
    this.#folders.push(...this.ports.map(() => mkdtempSync(join(tmpdir(), 'weir-test-node-'))));
    this.nodes = [await this.#startNode(0, programFolder), await this.#startNode(1, programFolder)];
    const [first] = this.nodes;
    const { id } = await addUpstream(first, { name: 'simulator', baseUrl: this.simulator.baseUrl, secrets: ['sk-simulated'] });
    await addModel(first, MODEL, [id]);
    const organization = await first.admin<{ id: string }>('POST', '/organizations', { name: 'behind Nginx' });
    ({ key: this.key } = await first.admin<{ key: string }>('POST', '/keys', { organization_id: organization.id, name: 'test' }));
    await Promise.all(this.ports.map((_, index) => this.#waitForModel(index)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await Promise.all([this.simulator.stop(), this.database.drop(), this.redis.close()]);
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }

  /** As WEIR_NODES wants them. */
  get places(): string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  url(index: number): string {
    return `http://127.0.0.1:${this.ports[index]}`;
  }

  /** On the same port and the same data folder; resolves when it knows the model. */
  async startAgain(index: number, programFolder?: string): Promise<void> {
    this.nodes[index] = await this.#startNode(index, programFolder);
    await this.#waitForModel(index);
  }

  #startNode(index: number, programFolder?: string): Promise<Weir> {
    const environment = { PORT: String(this.ports[index]), MAX_BODY_BYTES: LARGE, MAX_UPLOAD_BYTES: LARGE };
    return Weir.start({ databaseUrl: this.database.url, redisUrl: this.redis.url, dataDirectory: this.#folders[index], environment, programFolder });
  }

  #waitForModel(index: number): Promise<unknown> {
    return waitFor(async () => {
      const answer = await fetch(`${this.url(index)}/v1/models`, { headers: { authorization: `Bearer ${this.key}` } });
      return (await answer.text()).includes(MODEL);
    });
  }
}
