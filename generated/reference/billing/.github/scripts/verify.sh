#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Verifies that the release workflow on main of this repository signed an image and attested its provenance. The provenance is the last
# attestation that is published, so a verified image is complete.
#
#   sh .github/scripts/verify.sh VERSION
#   sh .github/scripts/verify.sh sha256:DIGEST
#
# Requires `cosign`, logged in to the registry if the image is private.
set -eu

[ $# -eq 1 ] || { printf 'usage: %s VERSION|sha256:DIGEST\n' "$0" >&2; exit 2; }
case $1 in
    sha256:*) image=ghcr.io/acme/billing@$1 ;;
    *) image=ghcr.io/acme/billing:$1 ;;
esac
# In a job, the name as GitHub spells it, which is also in the certificate.
repository=${GITHUB_REPOSITORY:-acme/billing}
identity=https://github.com/$repository/.github/workflows/release.yml@refs/heads/main
issuer=https://token.actions.githubusercontent.com

if ! {
    cosign verify --certificate-identity "$identity" --certificate-oidc-issuer "$issuer" "$image" &&
        cosign verify-attestation --type slsaprovenance1 \
            --certificate-identity "$identity" --certificate-oidc-issuer "$issuer" "$image"
} >/dev/null; then
    printf '%s is not signed and attested by %s\n' "$image" "$identity" >&2
    exit 1
fi
printf '%s is signed and attested by %s\n' "$image" "$identity" >&2
