#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Builds the image of HEAD into an OCI layout, for the architectures of the cluster's nodes.
#
#   sh .github/scripts/build.sh LAYOUT VERSION [CACHE]
#
# With CACHE, a folder, layers are taken from it and left in it.
# Bases and builder are pinned, times are the commit's. Provenance and SBOM, which name the run, are attested beside the image
# and not built into it.
set -eu

[ $# -eq 2 ] || [ $# -eq 3 ] || { printf 'usage: %s LAYOUT VERSION [CACHE]\n' "$0" >&2; exit 2; }
layout=$1
version=$2
cache=${3-}

created=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)

builder=$(docker buildx create --driver docker-container \
    --driver-opt image=moby/buildkit:v0.33.0@sha256:6c2fa84a6b61ccd72899dde4239f8d5717f05f9a8ca6f3cad185fb1a95a94de3)
trap 'docker buildx rm "$builder" >/dev/null' EXIT

set --
if [ -n "$cache" ]; then
    # Written anew beside the old one, which would only grow.
    set -- --cache-to "type=local,dest=$cache.new,mode=max"
    [ ! -f "$cache/index.json" ] || set -- "$@" --cache-from "type=local,src=$cache"
fi

mkdir -p "$layout"
docker buildx build "$@" \
    --builder "$builder" \
    --platform linux/amd64 \
    --build-arg "VERSION=$version" \
    --build-arg "REVISION=$(git rev-parse HEAD)" \
    --build-arg "CREATED=$created" \
    --build-arg "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)" \
    --provenance=false \
    --sbom=false \
    --output "type=oci,dest=$layout,tar=false,rewrite-timestamp=true" \
    .

if [ -n "$cache" ]; then
    rm -rf "$cache"
    mv "$cache.new" "$cache"
fi
