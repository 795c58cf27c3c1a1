#!/bin/sh
# The honest rival of playbooks/httpbin.yml: the same job as a person would script it, one step after the other, with
# nothing checked that need not be. Usage: by_hand.sh CLUSTER PORT RESULTS
# Prints "SECONDS STEP" for each step. The image is built only if it is not there, as the playbook does.
set -eu
cluster=$1 port=$2 results=$3
here=$(cd "$(dirname "$0")" && pwd)
module=github.com/mccutchen/go-httpbin/v2 version=v2.26.0 image=localhost/bench-by-hand:latest
export KIND_EXPERIMENTAL_PROVIDER=podman CGO_ENABLED=0
mkdir -p "$results"
started=$(date +%s.%N)
step() { now=$(date +%s.%N); awk -v a="$started" -v b="$now" -v n="$1" 'BEGIN { printf "%.2f %s\n", b - a, n }'; started=$now; }
kubectl() { podman exec -i "$cluster-control-plane" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }

printf 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n  extraPortMappings:\n  - {containerPort: 30080, hostPort: %s, listenAddress: 127.0.0.1}\n' "$port" > "$results/kind.yml"
kind create cluster --name "$cluster" --config "$results/kind.yml" --image localhost/kindest/node:v1.34.4 --kubeconfig "$results/kubeconfig" --wait 60s >/dev/null 2>&1
step cluster

if ! podman image exists "$image"; then
  mkdir -p "$results/build"
  ( cd "$results/build"
    printf 'module wrapper\n\ngo 1.26\n' > go.mod
    go get -tool "$module/cmd/go-httpbin@$version"
    go build -trimpath -cover -covermode=atomic "-coverpkg=$module/..." -o go-httpbin "$module/cmd/go-httpbin"
    printf 'FROM scratch\nCOPY go-httpbin /go-httpbin\nENTRYPOINT ["/go-httpbin"]\n' > Containerfile
    podman build --quiet --tag "$image" . ) >/dev/null 2>&1
fi
step image

podman save --quiet --output "$results/image.tar" "$image"
kind load image-archive "$results/image.tar" --name "$cluster" >/dev/null 2>&1
step load

podman exec "$cluster-control-plane" install -d -m 1777 /coverdata
kubectl apply -f - < "$here/by_hand.yml" >/dev/null
kubectl -n httpbin-e2e rollout status deployment/httpbin --timeout 60s >/dev/null
until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/status/200"; do sleep 0.2; done
step deploy

cp -r "$here/../../playbooks/files/httpbin" "$results/tests"
( cd "$results/tests" && E2E_BASE_URL="http://127.0.0.1:$port" go test -count=1 -v ./... > "$results/tests.log" )
step tests

kubectl -n httpbin-e2e scale deployment/httpbin --replicas 0 >/dev/null
kubectl -n httpbin-e2e wait --for delete pod --selector app=httpbin --timeout 60s >/dev/null
mkdir -p "$results/coverdata"
podman cp "$cluster-control-plane:/coverdata/." "$results/coverdata"
step extraction

cd "$results/tests"
go tool covdata textfmt -i "$results/coverdata" -o "$results/e2e-coverage.txt"
go tool covdata func -i "$results/coverdata" > "$results/e2e-coverage-func.txt"
go tool covdata percent -i "$results/coverdata" > "$results/percent.txt"
# the HTML needs the sources: a module that requires the service's
printf 'module page\n\ngo 1.26\n' > go.mod
go get "$module@$version" >/dev/null 2>&1
go tool cover -html "$results/e2e-coverage.txt" -o "$results/e2e-coverage.html"
step report
