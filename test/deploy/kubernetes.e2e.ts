import { loadConfiguration } from '@weir/platform';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { type JsonValue } from '../support/control-plane';
import { findProgram } from './get-program';

const RENDERED = 'deploy/kubernetes/weir.yaml';
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

const text = readFileSync(RENDERED, 'utf8');
const resources = parseAllDocuments(text).map((document) => document.toJS() as Resource | null).filter((one) => one !== null);
const find = (kind: string, name = 'weir'): Resource => {
  const found = resources.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
};

/** The names of every object's members, allowed or not: a misspelt one would silently do nothing. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  NetworkPolicy: ['podSelector', 'policyTypes', 'ingress', 'egress'],
  PodDisruptionBudget: ['maxUnavailable', 'selector'],
  Service: ['selector', 'ports', 'clusterIP', 'publishNotReadyAddresses'],
  HorizontalPodAutoscaler: ['scaleTargetRef', 'minReplicas', 'maxReplicas', 'metrics', 'behavior'],
  StatefulSet: ['serviceName', 'replicas', 'podManagementPolicy', 'updateStrategy', 'minReadySeconds', 'persistentVolumeClaimRetentionPolicy', 'selector', 'template', 'volumeClaimTemplates'],
  Ingress: ['ingressClassName', 'tls', 'rules'],
  ServiceMonitor: ['jobLabel', 'selector', 'endpoints'],
  Job: ['backoffLimit', 'activeDeadlineSeconds', 'template'],
};
const VERSIONS: Readonly<Record<string, string>> = {
  NetworkPolicy: 'networking.k8s.io/v1',
  PodDisruptionBudget: 'policy/v1',
  ConfigMap: 'v1',
  Service: 'v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
  StatefulSet: 'apps/v1',
  Ingress: 'networking.k8s.io/v1',
  ServiceMonitor: 'monitoring.coreos.com/v1',
  Job: 'batch/v1',
};

describe('the rendered chart', () => {
  it('is that of the chart as it is: render.sh was run after the last change', () => {
    const files = findFiles('deploy/helm').filter((path) => !path.endsWith('.sh'));
    const sum = createHash('sha256').update(files.map((path) => readFileSync(path)).reduce((all, one) => Buffer.concat([all, one]), Buffer.alloc(0))).digest('hex');
    expect(text.split('\n', 1)[0]).toBe(`# Rendered by deploy/helm/render.sh from the chart ${sum}`);
  });

  it('has every kind that a company needs, in versions that Kubernetes serves, and no member that it does not know', () => {
    expect(new Set(resources.map(({ kind }) => kind))).toEqual(new Set(Object.keys(VERSIONS)));
    for (const { apiVersion, kind, spec } of resources) {
      expect([kind, apiVersion]).toEqual([kind, VERSIONS[kind]]);
      if (spec !== undefined) expect(Object.keys(spec).filter((name) => !KNOWN[kind].includes(name))).toEqual([]);
    }
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
    const args = ['deploy/helm/weir', '-f', 'deploy/helm/example-values.yaml'];
    expect(execFileSync(helm, ['lint', '--strict', ...args]).toString()).toContain('0 chart(s) failed');
    const rendered = execFileSync(helm, ['template', 'weir', ...args, '--namespace', 'weir', '--kube-version', '1.31.0']).toString();
    expect(text.slice(text.indexOf('\n') + 1)).toBe(rendered);
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
