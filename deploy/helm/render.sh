#!/bin/sh
# Renders the chart: into deploy/kubernetes/weir.yaml with everything switched on, for who has no helm, and
# with the other side of every condition for the test that reads both. Needs helm. The first line says of
# which chart it was made: the test compares.
set -eu

cd -- "$(dirname -- "$0")/../.."
sum=$(find deploy/helm -type f ! -name '*.sh' | LC_ALL=C sort | xargs cat | sha256sum | cut -d' ' -f1)

render() {
    {
        echo "# Rendered by deploy/helm/render.sh from the chart $sum"
        helm template weir deploy/helm/weir --namespace weir --kube-version 1.31.0 -f "$1"
    } > "$2.new"
    mv "$2.new" "$2"
}

render deploy/helm/example-values.yaml deploy/kubernetes/weir.yaml
render deploy/helm/other-values.yaml test/deploy/rendered-otherwise.yaml
