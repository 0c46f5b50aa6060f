#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Publishes the image of an OCI layout unchanged: pushes it by digest, signs it, attests its SBOMs and its provenance, verifies them,
# and sets the tag last, so that a tagged image is always signed. Can be run again: only missing steps are executed.
#
#   sh .github/scripts/publish.sh LAYOUT SBOM_FOLDER VERSION
#
# Requires `cosign`, `jq` and `skopeo`, logged in to the registry, and the environment variables of a GitHub Actions run.
set -eu

[ $# -eq 3 ] || { printf 'usage: %s LAYOUT SBOM_FOLDER VERSION\n' "$0" >&2; exit 2; }
layout=$1
sboms=$2
version=$3
image=ghcr.io/acme/shop

digest=$(jq --raw-output '.manifests | if length == 1 then .[0].digest else error("not one image") end' "$layout/index.json")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the digest of a tag or image in the registry; nothing if it does not exist. Fails if the registry does not answer.
digest_of() {
    if ! skopeo inspect --no-tags --retry-times 3 --format '{{.Digest}}' "docker://$1" 2>"$work/words"; then
        if ! grep -qiE 'manifest unknown|name unknown|not found|denied' "$work/words"; then
            cat "$work/words" >&2
            return 1
        fi
    fi
}

# A published tag never moves.
tagged=$(digest_of "$image:$version")
if [ -n "$tagged" ] && [ "$tagged" != "$digest" ]; then
    printf '::error::%s:%s is %s, but %s was tested. Delete that version of the package, and run again.\n' \
        "$image" "$version" "$tagged" "$digest" >&2
    exit 1
fi

# is_attested TYPE DIGEST
is_attested() {
    cosign verify-attestation --type "$1" \
        --certificate-identity "$GITHUB_SERVER_URL/$GITHUB_WORKFLOW_REF" \
        --certificate-oidc-issuer https://token.actions.githubusercontent.com \
        "$image@$2" >/dev/null 2>&1
}

set_tag() {
    sh "$(dirname "$0")/verify.sh" "$digest"
    if [ -z "$tagged" ]; then
        skopeo copy --quiet --all --preserve-digests --retry-times 3 "docker://$image@$digest" "docker://$image:$version"
    fi
    printf '%s:%s is published, signed and attested: %s\n' "$image" "$version" "$digest"
}

# The provenance is attested last, so it implies all other steps. A signature does not, because Cosign accepts any attestation as one.
if is_attested slsaprovenance1 "$digest"; then
    set_tag
    exit
fi

there=$(digest_of "$image@$digest")
if [ -z "$there" ]; then
    skopeo copy --quiet --all --preserve-digests --retry-times 3 "oci:$layout" "docker://$image@$digest"
fi

# With Cosign, because GitHub's artifact attestations need Enterprise Cloud for private repositories.
cosign sign --yes --recursive "$image@$digest"
for sbom in "$sboms"/*.spdx.json; do
    architecture=sha256:$(basename "$sbom" .spdx.json)
    is_attested spdxjson "$architecture" || cosign attest --yes --type spdxjson --predicate "$sbom" "$image@$architecture"
done
jq --null-input '{
    buildDefinition: {
        buildType: "https://actions.github.io/buildtypes/workflow/v1",
        externalParameters: {workflow: {
            ref: env.GITHUB_REF,
            repository: "\(env.GITHUB_SERVER_URL)/\(env.GITHUB_REPOSITORY)",
            path: (env.GITHUB_WORKFLOW_REF | ltrimstr(env.GITHUB_REPOSITORY + "/") | split("@")[0])
        }},
        internalParameters: {github: {
            event_name: env.GITHUB_EVENT_NAME,
            repository_id: env.GITHUB_REPOSITORY_ID,
            repository_owner_id: env.GITHUB_REPOSITORY_OWNER_ID,
            runner_environment: env.RUNNER_ENVIRONMENT
        }},
        resolvedDependencies: [{
            uri: "git+\(env.GITHUB_SERVER_URL)/\(env.GITHUB_REPOSITORY)@\(env.GITHUB_REF)",
            digest: {gitCommit: env.GITHUB_SHA}
        }]
    },
    runDetails: {
        builder: {id: "\(env.GITHUB_SERVER_URL)/\(env.GITHUB_WORKFLOW_REF)"},
        metadata: {invocationId: "\(env.GITHUB_SERVER_URL)/\(env.GITHUB_REPOSITORY)/actions/runs/\(env.GITHUB_RUN_ID)/attempts/\(env.GITHUB_RUN_ATTEMPT)"}
    }
}' >"$work/provenance.json"
cosign attest --yes --type slsaprovenance1 --predicate "$work/provenance.json" "$image@$digest"
set_tag
