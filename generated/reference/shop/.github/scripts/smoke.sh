#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Starts the image of an OCI layout as the cluster does (user, read-only root, no capabilities, memory), on each architecture
# of its nodes, and holds it to what the platform expects: it answers /livez without its dependencies, says by
# /readyz whether it can serve, logs JSON, and ends by itself on SIGTERM.
#
#   sh .github/scripts/smoke.sh LAYOUT
set -eu

[ $# -eq 1 ] || { printf 'usage: %s LAYOUT\n' "$0" >&2; exit 2; }
layout=$1

architectures=amd64
work=$(mktemp -d)
container=shop-smoke-$$
image=shop:smoke-$$
clean() {
    docker rm --force "$container" >/dev/null 2>&1 || true
    docker rmi "$image" >/dev/null 2>&1 || true
}
trap 'clean; rm -rf "$work"' EXIT

fail() {
    printf 'smoke: %s\n' "$1" >&2
    docker logs "$container" >&2 || true
    exit 1
}

# The status with which a path answers; 000 if it does not.
status() {
    curl --silent --show-error --max-time 2 --output /dev/null --write-out '%{http_code}' "http://$address$1" 2>"$work/error" || true
}

# wait_for PATH STATUS
wait_for() {
    attempt=0
    until [ "$(status "$1")" = "$2" ]; do
        attempt=$((attempt + 1))
        [ "$attempt" -lt 60 ] || fail "$1 does not answer with $2 but with $(status "$1"): $(cat "$work/error")"
        sleep 1
    done
}

for architecture in $architectures; do
    # By way of a file, since skopeo's own connection to the Docker daemon speaks a version of its protocol that daemons give up.
    rm -f "$work/image.tar"
    skopeo --override-os linux --override-arch "$architecture" copy --quiet "oci:$layout" "docker-archive:$work/image.tar:$image"
    docker load --quiet --input "$work/image.tar"

    # Its database is nowhere: it must live without it, and say that it cannot serve.
    docker run --detach --name "$container" --platform "linux/$architecture" \
        --user 65532:65532 --read-only --tmpfs /tmp \
        --cap-drop ALL --security-opt no-new-privileges \
        --memory 256m \
        --env DATABASE_HOST=database.invalid --env DATABASE_PORT=5432 --env DATABASE_NAME=smoke \
        --env DATABASE_USERNAME=smoke --env DATABASE_PASSWORD=smoke \
        --publish 127.0.0.1::8080 \
        "$image" >/dev/null
    address=$(docker port "$container" 8080/tcp) || fail 'the program ended at once'
    wait_for /livez 200
    wait_for /readyz 503

    docker stop -t 30 "$container" >/dev/null
    code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
    [ "$code" -eq 0 ] || fail "SIGTERM ended it with exit status $code"

    docker logs "$container" 2>/dev/null >"$work/stdout"
    jq --raw-input 'fromjson | objects // error' "$work/stdout" >/dev/null || fail 'a line on standard output is no JSON object'
    printf 'smoke: linux/%s starts, answers, logs and stops as the platform expects\n' "$architecture"
    clean
done
