#!/bin/sh
# Written by blueprint. Change the blueprint instead.

# Fetches the certificates by which the database is known, and lets only those pass that the platform expects. Sees no secret.
set -eu

bundle=/authority/bundle.pem

wget -q -T 30 -O "$bundle" "$CA_BUNDLE_URL"

checksum=$(sha256sum "$bundle" | cut -d ' ' -f 1)
if [ "$checksum" != "$CA_BUNDLE_SHA256" ]; then
  rm "$bundle"
  cat >&2 <<WORDS
$CA_BUNDLE_URL has the checksum
  $checksum, not the expected
  $CA_BUNDLE_SHA256.
AWS adds certificates from time to time. If these are AWS's own, set \`ca-bundle-sha256\` below \`[database]\` in the blueprint
to the new checksum, and render again.
WORDS
  exit 1
fi
