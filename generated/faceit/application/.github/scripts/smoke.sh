#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Starts the image of an OCI layout as the Deployment does (user, read-only root, no capabilities, memory, variables), for each
# architecture of the cluster nodes, and tests the requirements of the platform: it answers /livez without its
# dependencies, reports on /readyz whether it can serve, exposes metrics, logs JSON, and exits on SIGTERM.
#
#   sh .github/scripts/smoke.sh LAYOUT
#
# `.github/smoke.env` is yours: its lines override or add variables.
set -eu

[ $# -eq 1 ] || { printf 'usage: %s LAYOUT\n' "$0" >&2; exit 2; }
layout=$1
own=$(dirname "$0")/../smoke.env

architectures=amd64
work=$(mktemp -d)
container=test-app-smoke-$$
image=test-app:smoke-$$
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

# status ADDRESS PATH: prints the HTTP status of a path; 000 without an answer.
status() {
    curl --silent --show-error --max-time 2 --output /dev/null --write-out '%{http_code}' "http://$1$2" 2>"$work/error" || true
}

# wait_for PORT PATH STATUS...: waits for one of the statuses, for as long as the startup probe does, unless the program exits.
wait_for() {
    port=$1 path=$2
    shift 2
    attempt=0
    while :; do
        answer=000
        address=$(docker port "$container" "$port/tcp" 2>"$work/error") && answer=$(status "$address" "$path")
        for wanted in "$@"; do
            [ "$answer" != "$wanted" ] || return 0
        done
        running=$(docker inspect --format '{{.State.Running}}' "$container")
        [ "$running" = true ] || fail "the program exited before $path answered with $*"
        attempt=$((attempt + 1))
        [ "$attempt" -lt 60 ] || fail "$path answers with $answer instead of $*: $(cat "$work/error")"
        sleep 1
    done
}

# The environment variables of the Deployment.
# There is no database: the program must start without it, and report that it is not ready.
cat >"$work/given" <<'END'
PORT=8080
METRICS_PORT=9090
GOMEMLIMIT=230MiB
DATABASE_HOST=database.invalid
DATABASE_NAME=smoke-test
DATABASE_PASSWORD=smoke-test
DATABASE_PORT=5432
DATABASE_USERNAME=smoke-test
END
[ ! -f "$own" ] || cat "$own" >>"$work/given"
# The last line of a name wins.
awk -F = '/^[A-Za-z_]/ { given[$1] = $0 } END { for (name in given) print given[name] }' "$work/given" >"$work/environment"

for architecture in $architectures; do
    # Through a file, because the `docker-daemon` transport of skopeo uses an API version that newer daemons no longer support.
    rm -f "$work/image.tar"
    skopeo --override-os linux --override-arch "$architecture" copy --quiet "oci:$layout" "docker-archive:$work/image.tar:$image"
    docker load --quiet --input "$work/image.tar"

    docker run --detach --name "$container" --platform "linux/$architecture" \
        --user 65532:65532 --read-only --tmpfs /tmp:exec,size=64m \
        --cap-drop ALL --security-opt no-new-privileges \
        --memory 256m \
        --env-file "$work/environment" \
        --publish 127.0.0.1::8080 \
        --publish 127.0.0.1::9090 \
        "$image" >/dev/null
    wait_for 8080 /livez 200
    wait_for 8080 /readyz 503
    wait_for 9090 /metrics 200

    docker stop -t 30 "$container" >/dev/null
    code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
    case $code in
        0) ;;
        *) fail "exit status $code after SIGTERM" ;;
    esac

    docker logs "$container" 2>/dev/null >"$work/stdout"
    jq --raw-input 'fromjson | objects // error' "$work/stdout" >/dev/null || fail 'a line on standard output is not a JSON object'
    printf 'smoke: linux/%s starts, answers, logs and stops as required\n' "$architecture"
    clean
done
