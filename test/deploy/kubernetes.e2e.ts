import { loadConfiguration } from '@weir/platform';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { type JsonValue } from '../support/control-plane';
import { findSchemaFaults, type Schema } from './find-schema-faults';
import { findProgram } from './get-program';

const RENDERED = 'deploy/kubernetes/weir.yaml';
const RENDERINGS = [
  { values: 'deploy/helm/example-values.yaml', path: RENDERED },
  { values: 'deploy/helm/other-values.yaml', path: 'test/deploy/rendered-otherwise.yaml' },
];
/** As docs/kubernetes.md says: the wait before the drain, the drain, and what comes after it. */
const GRACE_SECONDS = 330;

interface Resource {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  data?: Record<string, string>;
  // What a kind has is looked at with the rules below.
  spec: JsonValue;
}

const schemas = JSON.parse(readFileSync('test/deploy/kubernetes-schemas.json', 'utf8')) as {
  readonly kinds: Readonly<Record<string, string | undefined>>;
  readonly definitions: Readonly<Record<string, Schema>>;
};

const readResources = (path: string): Resource[] =>
  parseAllDocuments(readFileSync(path, 'utf8'))
    .map((document) => document.toJS() as Resource | null)
    .filter((one) => one !== null);

const resources = readResources(RENDERED);
const find = (kind: string, name = 'weir'): Resource => {
  const found = resources.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
};

describe('the rendered chart', () => {
  it('is that of the chart as it is: render.sh was run after the last change', () => {
    const files = findFiles('deploy/helm').filter((path) => !path.endsWith('.sh'));
    const sum = createHash('sha256').update(files.map((path) => readFileSync(path)).reduce((all, one) => Buffer.concat([all, one]), Buffer.alloc(0))).digest('hex');
    for (const { path } of RENDERINGS) expect(readFileSync(path, 'utf8').split('\n', 1)[0]).toBe(`# Rendered by deploy/helm/render.sh from the chart ${sum}`);
  });

  it.each(RENDERINGS)('is what Kubernetes and the Prometheus operator read, with $values: kinds that they serve, and no member that they do not know', ({ path }) => {
    const faults = readResources(path).flatMap((resource) => {
      const name = `${resource.apiVersion} ${resource.kind}`;
      const schema = schemas.kinds[name];
      return schema === undefined ? [`${name}: is no kind that is known here`] : findSchemaFaults(resource, { $ref: schema }, schemas.definitions, resource.kind);
    });
    expect(faults).toEqual([]);
  });

  it('has every kind that a company needs', () => {
    const kinds = RENDERINGS.flatMap(({ path }) => readResources(path).map(({ apiVersion, kind }) => `${apiVersion} ${kind}`));
    expect(new Set(kinds)).toEqual(new Set(Object.keys(schemas.kinds)));
  });

  it('labels what belongs together alike, so that every selector finds the pods and nothing else', () => {
    const pod = find('StatefulSet').spec.template.metadata.labels;
    for (const selector of [find('StatefulSet').spec.selector.matchLabels, find('PodDisruptionBudget').spec.selector.matchLabels, find('NetworkPolicy').spec.podSelector.matchLabels, ...resources.filter(({ kind }) => kind === 'Service').map(({ spec }) => spec.selector)]) {
      expect(pod).toMatchObject(selector);
    }
    const monitored = resources.filter(({ kind, metadata }) => kind === 'Service' && isWithin(find('ServiceMonitor').spec.selector.matchLabels, metadata.labels ?? {}));
    expect(monitored.map(({ metadata }) => metadata.name)).toEqual(['weir-pods']);
    // The job's pod is no data plane: no Service may send it a request.
    expect(isWithin(find('StatefulSet').spec.selector.matchLabels, find('Job', 'weir-migration').spec.template.metadata.labels)).toBe(false);
  });

  it('asks for what the guide says, and runs without privileges on a read-only root', () => {
    for (const { spec } of [find('StatefulSet'), find('Job', 'weir-migration')]) {
      const pod = spec.template.spec;
      expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } } });
      expect(pod.containers[0]).toMatchObject({
        resources: { requests: { cpu: '500m', memory: '512Mi' }, limits: { cpu: '1', memory: '1Gi' } },
        securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
      });
    }
  });

  it('cuts no stream in an upgrade: one pod at a time, which leaves the Service first and has the time to drain', () => {
    const { spec } = find('StatefulSet');
    const [container] = spec.template.spec.containers;
    const settings = find('ConfigMap').data ?? {};
    const waitSeconds = Number(container.lifecycle.preStop.exec.command[1]);
    expect([container.lifecycle.preStop.exec.command[0], spec.template.spec.terminationGracePeriodSeconds]).toEqual(['sleep', GRACE_SECONDS]);
    expect(GRACE_SECONDS * 1000).toBeGreaterThan(waitSeconds * 1000 + Number(settings.SHUTDOWN_TIMEOUT_MS));
    // Longer than it takes until the probe says so.
    expect(waitSeconds).toBeGreaterThanOrEqual(container.readinessProbe.periodSeconds * 2);
    expect(find('PodDisruptionBudget').spec.maxUnavailable).toBe(1);
    expect(spec.updateStrategy).toEqual({ type: 'RollingUpdate' });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'gateway' });
    expect(container.livenessProbe.httpGet).toEqual({ path: '/livez', port: 'gateway' });
  });

  it('keeps the spool on a volume that outlasts the pod, and migrates before the pods change', () => {
    const { spec } = find('StatefulSet');
    expect(spec.volumeClaimTemplates[0].metadata.name).toBe('spool');
    expect(spec.template.spec.containers[0].volumeMounts).toContainEqual({ name: 'spool', mountPath: '/var/lib/weir' });
    expect(find('ConfigMap').data?.WEIR_DATA_DIR).toBe('/var/lib/weir');
    const job = find('Job', 'weir-migration');
    expect(job.metadata.annotations?.['helm.sh/hook']).toBe('pre-install,pre-upgrade');
    expect(job.spec.template.spec.containers[0].command).toEqual(['node', 'dist/scripts/init_db.js']);
    expect(statSync('scripts/init_db.ts').isFile()).toBe(true);
  });

  it('lets an Ingress lead to the data plane alone, and only named pods to the admin API and the metrics', () => {
    const [rule] = find('Ingress').spec.rules;
    expect(rule.http.paths.map((path: { backend: object }) => path.backend)).toEqual([{ service: { name: 'weir', port: { name: 'gateway' } } }]);
    expect(find('Service').spec.ports.map((port: { targetPort: string }) => port.targetPort)).toEqual(['gateway']);
    const { ingress } = find('NetworkPolicy').spec;
    for (const { ports, from } of ingress) if (ports[0].port !== 'gateway') expect(from.length).toBeGreaterThan(0);
    expect(ingress.map(({ ports }: { ports: { port: string }[] }) => ports[0].port).sort()).toEqual(['admin', 'gateway', 'metrics']);
  });

  it('sets what Weir understands, and no secret: those come from a Secret', () => {
    const settings = find('ConfigMap').data ?? {};
    const configuration = loadConfiguration({ ...settings, DATABASE_URL: 'postgres://weir:x@db/weir', REDIS_URL: 'redis://redis', ENCRYPTION_KEYS: `k1:${'ab'.repeat(32)}` });
    expect(configuration).toMatchObject({ port: 8080, adminPort: 8081, metricsPort: 9090, shutdownTimeoutMs: 300_000 });
    expect(find('StatefulSet').spec.template.spec.containers[0].envFrom).toEqual([{ configMapRef: { name: 'weir' } }, { secretRef: { name: 'weir-secrets' } }]);
    expect(Object.keys(settings).filter((name) => /PASSWORD|KEY|URL|SECRET/.test(name))).toEqual([]);
  });

  it('starts with three replicas, and grows with the load', () => {
    expect((parse(readFileSync('deploy/helm/weir/values.yaml', 'utf8')) as { replicas: number }).replicas).toBe(3);
    expect(find('HorizontalPodAutoscaler').spec).toMatchObject({ minReplicas: 3, scaleTargetRef: { kind: 'StatefulSet', name: 'weir' } });
  });

  it('is what helm renders, where there is one', async () => {
    const helm = await findProgram('helm');
    if (helm === null) return;
    for (const { values, path } of RENDERINGS) {
      const args = ['deploy/helm/weir', '-f', values];
      expect(execFileSync(helm, ['lint', '--strict', ...args]).toString()).toContain('0 chart(s) failed');
      const rendered = execFileSync(helm, ['template', 'weir', ...args, '--namespace', 'weir', '--kube-version', '1.31.0']).toString();
      const text = readFileSync(path, 'utf8');
      expect(text.slice(text.indexOf('\n') + 1)).toBe(rendered);
    }
  });
});

describe('what is no schema of Kubernetes', () => {
  const job = resources.find(({ kind }) => kind === 'Job');
  const faultsOf = (change: (spec: JsonValue) => void): string[] => {
    const copy = structuredClone(job);
    if (copy === undefined) throw new Error('there is no job');
    change(copy.spec);
    return findSchemaFaults(copy, { $ref: schemas.kinds['batch/v1 Job'] }, schemas.definitions, 'Job');
  };

  it.each<[string, (spec: JsonValue) => void, string]>([
    ['a misspelt member', (spec) => (spec.template.spec.serviceAcountName = 'weir'), 'Job.spec.template.spec.serviceAcountName: is unknown'],
    ['another type', (spec) => (spec.backoffLimit = '2'), 'Job.spec.backoffLimit: "2" is no integer'],
    ['a lack', (spec) => delete spec.template.spec.containers[0].name, 'Job.spec.template.spec.containers[0].name: is missing'],
    ['an object for a list', (spec) => (spec.template.spec.volumes = {}), 'Job.spec.template.spec.volumes: {} is no array'],
  ])('is found: %s', (_what, change, fault) => {
    expect(faultsOf(change)).toEqual([fault]);
  });
});

const isWithin = (part: Readonly<Record<string, string>>, whole: Readonly<Record<string, string>>): boolean => Object.entries(part).every(([name, value]) => whole[name] === value);

/** In the order of bytes, as `LC_ALL=C sort`. */
function findFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .sort((one, other) => (one < other ? -1 : 1));
}
