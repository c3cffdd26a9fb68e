import { spawnTethered } from '@weir/platform';
import { createTestCertificate } from '@weir/testing';
import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { waitFor } from '../support/wait-for';
import { findFreePort } from '../support/find-free-port';
import { getProgram } from './get-program';

const SCRIPTS = resolve('nginx');

export interface ScriptEnd {
  readonly code: number;
  readonly output: string;
}

/** The real Nginx in a folder of its own, with the configuration that nginx/configure.sh writes. */
export class NginxServer {
  readonly environment: Record<string, string>;
  #child: ChildProcess | null = null;
  #output = '';

  private constructor(
    readonly folder: string,
    readonly httpPort: number,
    readonly httpsPort: number,
    private readonly program: string,
  ) {
    this.environment = {
      PATH: `${process.env.PATH ?? ''}:/usr/sbin`,
      WEIR_NGINX: `${program} -p ${folder} -c ${this.path('nginx.conf')}`,
      WEIR_NGINX_CONF: this.path('weir.conf'),
      WEIR_NGINX_ENV: this.path('nginx.env'),
      WEIR_ACCESS_LOG: this.path('access.log'),
      WEIR_ERROR_LOG: this.path('weir-error.log'),
      WEIR_WEBROOT: this.path('webroot'),
      WEIR_CERTIFICATE: this.path('fullchain.pem'),
      WEIR_CERTIFICATE_KEY: this.path('privkey.pem'),
      WEIR_SERVER_NAME: 'localhost',
      WEIR_HTTP_PORT: String(httpPort),
      WEIR_HTTPS_PORT: String(httpsPort),
    };
  }

  /** A folder, two free ports and no process yet. */
  static async prepare(environment: Readonly<Record<string, string>>): Promise<NginxServer> {
    const program = await getProgram('nginx');
    const folder = await mkdtemp(join(tmpdir(), 'weir-test-nginx-'));
    const server = new NginxServer(folder, await findFreePort(), await findFreePort(), program);
    Object.assign(server.environment, environment);
    await writeFile(server.path('nginx.conf'), toMainConfiguration(folder));
    return server;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  get url(): string {
    return `https://127.0.0.1:${this.httpsPort}`;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  /** What Nginx itself has said, and its access log. */
  async readLogs(): Promise<{ access: string; error: string }> {
    const [access, error] = await Promise.all(['access.log', 'weir-error.log'].map((name) => readFile(this.path(name), 'utf8').catch(() => '')));
    return { access, error: error + this.#output };
  }

  /** Another certificate and key; Nginx takes them when it is reloaded. Answers the certificate. */
  async writeCertificate(): Promise<string> {
    const { certificate, privateKey } = createTestCertificate();
    await Promise.all([writeFile(this.path('fullchain.pem'), certificate), writeFile(this.path('privkey.pem'), privateKey, { mode: 0o600 })]);
    return certificate;
  }

  runScript(name: string, ...args: readonly string[]): Promise<ScriptEnd> {
    return new Promise((done) => {
      execFile('/bin/sh', [join(SCRIPTS, name), ...args], { env: this.environment }, (error, stdout, stderr) => {
        done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, output: stdout + stderr });
      });
    });
  }

  /** Writes the configuration and starts Nginx with it. */
  async start(): Promise<void> {
    const written = await this.runScript('configure.sh');
    if (written.code !== 0) throw new Error(written.output);
    const args = ['-p', this.folder, '-c', this.path('nginx.conf'), '-g', 'daemon off;'];
    const child = spawnTethered(this.program, args, { environment: { PATH: process.env.PATH }, cwd: '/' });
    this.#child = child;
    const take = (chunk: Buffer): void => void (this.#output += chunk.toString('utf8'));
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    await waitFor(() => child.exitCode !== null || accepts(this.httpPort), { what: 'Nginx to listen' });
    if (child.exitCode !== null) throw new Error(`Nginx did not start: ${this.#output}`);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.stdin?.end();
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Everything that Nginx writes is in the folder. `user` counts only for the superuser. */
function toMainConfiguration(folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n    ');
  return `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 2;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
    ${temporary}
    access_log off;
    include ${folder}/weir.conf;
}
`;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
