// The schemas of the kinds that the chart makes, without their texts, out of Kubernetes' own description of its API
// (in the Go module k8s.io/kubernetes, and in its repository) and of what the Prometheus operator adds to it (in the
// Go module github.com/prometheus-operator/prometheus-operator):
//
//   node test/deploy/extract-kubernetes-schemas.mjs "Kubernetes 1.31.0, Prometheus operator 0.80.1" \
//     api/openapi-spec/swagger.json example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml \
//     > test/deploy/kubernetes-schemas.json
//
// The state that Kubernetes writes itself is left out.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const KINDS = [
  'io.k8s.api.apps.v1.StatefulSet',
  'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
  'io.k8s.api.batch.v1.Job',
  'io.k8s.api.core.v1.ConfigMap',
  'io.k8s.api.core.v1.Secret',
  'io.k8s.api.core.v1.Service',
  'io.k8s.api.networking.v1.Ingress',
  'io.k8s.api.networking.v1.NetworkPolicy',
  'io.k8s.api.policy.v1.PodDisruptionBudget',
];

const [origin, swaggerPath, ...crdPaths] = process.argv.slice(2);
const { definitions } = JSON.parse(readFileSync(swaggerPath, 'utf8'));
const kinds = {};
const kept = {};

/** One schema without its texts; the definitions that it leads to are kept, too. */
function extract({ $ref, type, format, items, properties, required, additionalProperties, enum: words, 'x-kubernetes-int-or-string': isIntOrString }) {
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1);
    keep(name);
    return { $ref: name };
  }
  if (isIntOrString) return { type: 'string', format: 'int-or-string' };
  return {
    type,
    format,
    enum: words,
    ...(items === undefined ? {} : { items: extract(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: extract(additionalProperties) }),
    ...(properties === undefined ? {} : { properties: extractMembers(properties), required }),
  };
}

function extractMembers(properties) {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, extract(schema)]));
}

function keep(name) {
  if (kept[name] !== undefined) return;
  // Before it is filled: some definitions lead back to themselves.
  kept[name] = {};
  kept[name] = extract(definitions[name]);
}

for (const name of KINDS) {
  const [{ group, version, kind }] = definitions[name]['x-kubernetes-group-version-kind'];
  kinds[`${group === '' ? version : `${group}/${version}`} ${kind}`] = name;
  delete definitions[name].properties.status;
  keep(name);
}
for (const path of crdPaths) {
  const { group, names, versions } = parse(readFileSync(path, 'utf8')).spec;
  for (const { name: version, schema } of versions) {
    const name = `${group}.${version}.${names.kind}`;
    kinds[`${group}/${version} ${names.kind}`] = name;
    const { status, ...properties } = schema.openAPIV3Schema.properties;
    kept[name] = extract({ ...schema.openAPIV3Schema, properties: { ...properties, metadata: { $ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' } } });
  }
}
// A Quantity may be written as a number.
kept['io.k8s.apimachinery.pkg.api.resource.Quantity'] = { type: 'string', format: 'int-or-string' };
const sorted = Object.fromEntries(Object.entries(kept).sort(([one], [other]) => (one < other ? -1 : 1)));
const lines = Object.entries(sorted).map(([name, schema]) => `${JSON.stringify(name)}:${JSON.stringify(schema)}`);
process.stdout.write(`{"origin":${JSON.stringify(`${origin} (Apache License 2.0)`)},\n"kinds":${JSON.stringify(kinds)},\n"definitions":{\n${lines.join(',\n')}\n}}\n`);
