#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Reuses the image of an interrupted release, so that it is completed and not built again. The GitHub release contains the digest;
# without a release, or without that image in the registry, there is nothing to reuse.
#
#   sh .github/scripts/earlier.sh LAYOUT VERSION     prints `found`, or nothing
#
# Requires `gh` and `skopeo`, and GH_TOKEN and GITHUB_ACTOR with read access to the release and the image.
set -eu

[ $# -eq 2 ] || { printf 'usage: %s LAYOUT VERSION\n' "$0" >&2; exit 2; }
layout=$1
version=$2
image=ghcr.io/acme/billing

notes=$(gh release view "v$version" --json body --jq .body 2>/dev/null) || exit 0
digest=$(printf '%s\n' "$notes" | sed -nE "s,.*\`$image:$version@(sha256:[0-9a-f]{64})\`.*,\\1,p" | tail -n 1)
[ -n "$digest" ] || exit 0

printf '%s' "$GH_TOKEN" | skopeo login --username "$GITHUB_ACTOR" --password-stdin ghcr.io >&2
skopeo inspect --raw "docker://$image@$digest" >/dev/null 2>&1 || exit 0
mkdir -p "$layout"
skopeo copy --quiet --all --preserve-digests --retry-times 3 "docker://$image@$digest" "oci:$layout" >&2
printf 'found\n'
