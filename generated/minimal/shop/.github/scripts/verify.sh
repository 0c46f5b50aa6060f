#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Verifies that the release workflow of this repository, as it stands on main, has signed an image and attested where it comes
# from. The attestation comes last when an image is published, so nothing of what is published with it is missing.
#
#   sh .github/scripts/verify.sh VERSION
#   sh .github/scripts/verify.sh sha256:DIGEST
#
# Needs `cosign`, logged in at the registry if the image is private.
set -eu

[ $# -eq 1 ] || { printf 'usage: %s VERSION|sha256:DIGEST\n' "$0" >&2; exit 2; }
case $1 in
    sha256:*) image=ghcr.io/acme/shop@$1 ;;
    *) image=ghcr.io/acme/shop:$1 ;;
esac
# A job knows the name of its repository as GitHub spells it, and so does the certificate.
repository=${GITHUB_REPOSITORY:-acme/shop}
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
