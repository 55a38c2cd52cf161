#!/bin/sh
# Makes everything in this folder anew: signatures as cosign makes them, but by OpenSSL, so that the plugin `signatures` is
# tested against another hand than its own libraries. The private keys are thrown away.
#
# image.json and bundle.json are for the digest of the text `an image`, another-image.json for that of `another image`;
# another-kind.json and another-claim.bundle.json are of another type; no.json is none. other.pub has signed nothing, and
# p384.pub is of a curve that is not taken.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -r "$keys"' EXIT

for name in p256 other; do
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$keys/$name"
    openssl pkey -in "$keys/$name" -pubout -out $name.pub
done
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$keys/p384"
openssl pkey -in "$keys/p384" -pubout -out p384.pub
openssl genpkey -algorithm ED25519 -out "$keys/ed25519"
openssl pkey -in "$keys/ed25519" -pubout -out ed25519.pub

digest() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

# cosign's simple signing
simple() {
    printf '{"critical":{"identity":{"docker-reference":"registry.example/team/app"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"%s"},"optional":null}' "$1" "$2"
}
simple "$(digest 'an image')" 'cosign container image signature' >image.json
simple "$(digest 'another image')" 'cosign container image signature' >another-image.json
simple "$(digest 'an image')" 'atomic container signature' >another-kind.json
printf 'no JSON' >no.json
for name in image another-image another-kind no; do
    openssl dgst -sha256 -sign "$keys/p256" $name.json | base64 -w0 >$name.p256.sig
done
openssl pkeyutl -sign -inkey "$keys/ed25519" -rawin -in image.json | base64 -w0 >image.ed25519.sig

# a sigstore bundle with an in-toto statement in a DSSE envelope
bundle() {
    type=application/vnd.in-toto+json
    statement=$(printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"}}],"predicateType":"%s","predicate":{}}' "$1" "$2")
    printf 'DSSEv1 %s %s %s %s' ${#type} $type ${#statement} "$statement" >"$keys/signed"
    signature=$(openssl dgst -sha256 -sign "$keys/p256" "$keys/signed" | base64 -w0)
    printf '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":""},"tlogEntries":[]},"dsseEnvelope":{"payload":"%s","payloadType":"%s","signatures":[{"sig":"%s"}]}}' \
        "$(printf '%s' "$statement" | base64 -w0)" $type "$signature"
}
bundle "$(digest 'an image')" https://sigstore.dev/cosign/sign/v1 >bundle.json
bundle "$(digest 'another image')" https://sigstore.dev/cosign/sign/v1 >another-image.bundle.json
bundle "$(digest 'an image')" https://slsa.dev/provenance/v1 >another-claim.bundle.json
