#!/bin/sh
# Starts the image of an OCI layout as the Deployment does (user, read-only root, no capabilities, memory, variables), for each
# architecture of the cluster nodes, and tests the requirements of the platform: it answers #{ application.liveness }# without its
#%- if application.has_metrics %#
# dependencies, reports on #{ application.readiness }# whether it can serve, exposes metrics, logs JSON, and exits on SIGTERM.
#%- else %#
# dependencies, reports on #{ application.readiness }# whether it can serve, logs JSON, and exits on SIGTERM.
#%- endif %#
#
#   sh .github/scripts/smoke.sh LAYOUT
#
# `.github/smoke.env` is yours: its lines override or add variables.
set -eu

[ $# -eq 1 ] || { printf 'usage: %s LAYOUT\n' "$0" >&2; exit 2; }
layout=$1
own=$(dirname "$0")/../smoke.env

architectures=#{ foundation.architecture_words()|sh }#
work=$(mktemp -d)
container=#{ application.name }#-smoke-$$
image=#{ application.name }#:smoke-$$
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
        [ "$attempt" -lt #{ smoke_test.start }# ] || fail "$path answers with $answer instead of $*: $(cat "$work/error")"
        sleep 1
    done
}

# The environment variables of the Deployment.
#%- if application.database.is_some() %#
# There is no database: the program must start without it, and report that it is not ready.
#%- endif %#
#%- if !application.secrets.is_empty() %#
# Secrets have a dummy value.
#%- endif %#
cat >"$work/given" <<'END'
#%- for (name, value) in smoke_test.variables %#
#{ name }#=#{ value.clone()|line }#
#%- endfor %#
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
        --user #{ application.user() }#:#{ application.user() }# --read-only --tmpfs /tmp:exec,size=#{ application.scratch().0 }#m \
        --cap-drop ALL --security-opt no-new-privileges \
        --memory #{ application.size.memory.0 }#m \
        --env-file "$work/environment" \
        --publish 127.0.0.1::#{ application.port }# \
#%- if application.has_metrics %#
        --publish 127.0.0.1::#{ application.metrics.port }# \
#%- endif %#
        "$image" >/dev/null
    wait_for #{ application.port }# #{ application.liveness }# 200
    wait_for #{ application.port }# #{ application.readiness }# #{ smoke_test.readiness.clone()|plain }#
#%- if application.has_metrics %#
    wait_for #{ application.metrics.port }# #{ application.metrics.path }# 200
#%- endif %#

    docker stop -t #{ application.shutdown.drain }# "$container" >/dev/null
    code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
    case $code in
        #{ smoke_test.exit_codes.clone()|line }#) ;;
        *) fail "exit status $code after SIGTERM" ;;
    esac

    docker logs "$container" 2>/dev/null >"$work/stdout"
    jq --raw-input 'fromjson | objects // error' "$work/stdout" >/dev/null || fail 'a line on standard output is not a JSON object'
    printf 'smoke: linux/%s starts, answers, logs and stops as required\n' "$architecture"
    clean
done
