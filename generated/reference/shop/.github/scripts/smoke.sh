#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Starts the image of an OCI layout as the Deployment does (user, read-only root, no capabilities, memory, variables), on each
# architecture of the cluster's nodes, and holds it to what the platform expects: it answers /livez without its
# dependencies, says by /readyz whether it can serve, shows metrics, logs JSON, and ends by itself on SIGTERM.
#
#   sh .github/scripts/smoke.sh LAYOUT
#
# `.github/smoke.env` belongs to you: a line there replaces the variable below that has the same name, or adds one.
set -eu

[ $# -eq 1 ] || { printf 'usage: %s LAYOUT\n' "$0" >&2; exit 2; }
layout=$1
own=$(dirname "$0")/../smoke.env

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

# status ADDRESS PATH: the status with which a path answers; 000 if it does not.
status() {
    curl --silent --show-error --max-time 2 --output /dev/null --write-out '%{http_code}' "http://$1$2" 2>"$work/error" || true
}

# wait_for ADDRESS PATH STATUS...: until it answers with one of them, for as long as the startup probe waits.
wait_for() {
    address=$1 path=$2
    shift 2
    attempt=0
    while :; do
        answer=$(status "$address" "$path")
        for wanted in "$@"; do
            [ "$answer" != "$wanted" ] || return 0
        done
        attempt=$((attempt + 1))
        [ "$attempt" -lt 60 ] || fail "$path does not answer with $* but with $answer: $(cat "$work/error")"
        sleep 1
    done
}

# The variables of the Deployment.
# The database does not answer: the program must start without it, and say that it is not ready.
# Secrets have a value that means nothing.
cat >"$work/given" <<'END'
PORT=8080
METRICS_PORT=9090
LOG_LEVEL=info
GOMEMLIMIT=230MiB
PAYMENT_KEY=smoke-test
DATABASE_HOST=database.invalid
DATABASE_NAME=smoke-test
DATABASE_PASSWORD=smoke-test
DATABASE_PORT=5432
DATABASE_USERNAME=smoke-test
END
[ ! -f "$own" ] || cat "$own" >>"$work/given"
# Of two lines with one name, the last counts.
awk -F = '/^[A-Za-z_]/ { given[$1] = $0 } END { for (name in given) print given[name] }' "$work/given" >"$work/environment"

for architecture in $architectures; do
    # By way of a file, since skopeo's own connection to the Docker daemon speaks a version of its protocol that daemons give up.
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
    served=$(docker port "$container" 8080/tcp) || fail 'the program ended at once'
    wait_for "$served" /livez 200
    wait_for "$served" /readyz 503
    wait_for "$(docker port "$container" 9090/tcp)" /metrics 200

    docker stop -t 30 "$container" >/dev/null
    code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
    case $code in
        0) ;;
        *) fail "SIGTERM ended it with exit status $code" ;;
    esac

    docker logs "$container" 2>/dev/null >"$work/stdout"
    jq --raw-input 'fromjson | objects // error' "$work/stdout" >/dev/null || fail 'a line on standard output is no JSON object'
    printf 'smoke: linux/%s starts, answers, logs and stops as the platform expects\n' "$architecture"
    clean
done
