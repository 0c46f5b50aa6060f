#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Starts the image of an OCI layout as the cluster does (user, read-only root, no capabilities, memory) and holds it to what
# the platform expects: it answers /livez without its dependencies, logs JSON, and ends by itself on SIGTERM.
#
#   sh scripts/smoke.sh LAYOUT
set -eu

[ $# -eq 1 ] || { printf 'usage: %s LAYOUT\n' "$0" >&2; exit 2; }
layout=$1

work=$(mktemp -d)
container=test-app-smoke-$$
image=test-app:smoke-$$
clean() {
    docker rm --force "$container" >/dev/null 2>&1 || true
    docker rmi "$image" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean EXIT

fail() {
    printf 'smoke: %s\n' "$1" >&2
    docker logs "$container" >&2 || true
    exit 1
}

# By way of a file, since skopeo's own connection to the Docker daemon speaks a version of its protocol that daemons give up.
skopeo copy --quiet "oci:$layout" "docker-archive:$work/image.tar:$image"
docker load --quiet --input "$work/image.tar"

docker run --detach --name "$container" \
    --user 65532:65532 --read-only --tmpfs /tmp \
    --cap-drop ALL --security-opt no-new-privileges \
    --memory 256m \
    --publish 127.0.0.1::8080 \
    "$image" >/dev/null
address=$(docker port "$container" 8080/tcp) || fail 'the program ended at once'

attempt=0
until curl --fail --silent --show-error --max-time 2 --output /dev/null "http://$address/livez" 2>"$work/error"; do
    attempt=$((attempt + 1))
    [ "$attempt" -lt 30 ] || fail "/livez does not answer: $(cat "$work/error")"
    sleep 1
done

docker stop -t 30 "$container" >/dev/null
status=$(docker inspect --format '{{.State.ExitCode}}' "$container")
[ "$status" -eq 0 ] || fail "SIGTERM ended it with exit status $status"

docker logs "$container" 2>/dev/null >"$work/stdout"
jq --raw-input 'fromjson | objects // error' "$work/stdout" >/dev/null || fail 'a line on standard output is no JSON object'
printf 'smoke: %s starts, answers, logs and stops as the platform expects\n' "$image"
