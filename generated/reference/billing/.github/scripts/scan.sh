#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Scans every architecture of an OCI layout, and ends with status 3 if it finds secrets or fixable high or critical vulnerabilities. Add
# findings that do not apply to .trivyignore, with the reason. Writes one SBOM (SPDX) per architecture, named by the digest of the image.
#
#   sh .github/scripts/scan.sh LAYOUT SBOM_FOLDER
set -eu

[ $# -eq 2 ] || { printf 'usage: %s LAYOUT SBOM_FOLDER\n' "$0" >&2; exit 2; }
layout=$1
sboms=$2

architectures=amd64
version=0.74.0
checksum=2ae6fe3ee734b7fdf11335663e18c75ea12dccc76062f09f164a3b0f8be4371a

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

curl --fail --silent --show-error --location --retry 3 --proto '=https' --output "$work/trivy.tar.gz" \
    "https://github.com/aquasecurity/trivy/releases/download/v$version/trivy_${version}_Linux-64bit.tar.gz"
printf '%s  %s\n' "$checksum" "$work/trivy.tar.gz" | sha256sum --check --strict --quiet
tar -xzf "$work/trivy.tar.gz" -C "$work" trivy

mkdir -p "$sboms"
for architecture in $architectures; do
    one=$work/image-$architecture
    skopeo --override-os linux --override-arch "$architecture" copy --quiet --preserve-digests "oci:$layout" "oci:$one"
    digest=$(jq --raw-output '.manifests[0].digest' "$one/index.json")
    printf 'scan: linux/%s %s\n' "$architecture" "$digest"
    "$work/trivy" image --quiet --input "$one" \
        --scanners vuln,secret --severity HIGH,CRITICAL --ignore-unfixed --exit-code 3
    "$work/trivy" image --quiet --input "$one" \
        --format spdx-json --output "$sboms/${digest#sha256:}.spdx.json"
done
