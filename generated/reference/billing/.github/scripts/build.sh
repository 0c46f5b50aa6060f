#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Builds the image of HEAD into an OCI layout, for the architectures of the cluster nodes.
#
#   sh .github/scripts/build.sh LAYOUT VERSION [CACHE]
#
# CACHE is a folder from which layers are read and to which they are written.
# Base images and builder are pinned, timestamps are those of the commit. Provenance and SBOM contain the run, so they are attested
# separately and not built into the image.
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
    # Written to a new folder, because an existing cache is only appended to.
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
