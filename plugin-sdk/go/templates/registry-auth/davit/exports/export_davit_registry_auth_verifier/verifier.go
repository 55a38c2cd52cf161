//go:build wasip1

// Package export_davit_registry_auth_verifier is the component's export davit:registry-auth/verifier, which asks the plugin.
package export_davit_registry_auth_verifier

import (
	host "example.org/my-plugin/bindings/davit_registry_auth_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
)

func Verify(given *host.ManifestView) guest.Done {
	of := manifest{guest.Lent(given)}
	return guest.Answer(func() error { return davit.TheRegistryAuth.Verify(of) })
}

type manifest struct{ raw *host.ManifestView }

func (m manifest) Reference() string { return m.raw.Reference() }
func (m manifest) Digest() string    { return m.raw.Digest() }
func (m manifest) MediaType() string { return m.raw.MediaType() }
func (m manifest) Referrers(artifactType string) ([]string, error) {
	return guest.Take(m.raw.Referrers(artifactType))
}
func (m manifest) Blob(digest string) ([]byte, error) { return guest.Take(m.raw.Blob(digest)) }
