#!/bin/sh
# Renders the chart into deploy/kubernetes/weir.yaml, for who has no helm, and for the test that reads
# it. Needs helm. The first line says of which chart it was made: the test compares.
set -eu

cd -- "$(dirname -- "$0")/../.."
sum=$(find deploy/helm -type f ! -name '*.sh' | LC_ALL=C sort | xargs cat | sha256sum | cut -d' ' -f1)
{
    echo "# Rendered by deploy/helm/render.sh from the chart $sum"
    helm template weir deploy/helm/weir --namespace weir --kube-version 1.31.0 -f deploy/helm/example-values.yaml
} > deploy/kubernetes/weir.yaml.new
mv deploy/kubernetes/weir.yaml.new deploy/kubernetes/weir.yaml
