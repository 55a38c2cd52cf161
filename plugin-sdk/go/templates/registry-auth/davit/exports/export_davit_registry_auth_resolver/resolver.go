//go:build wasip1

// Package export_davit_registry_auth_resolver is the component's export davit:registry-auth/resolver, which asks the plugin.
package export_davit_registry_auth_resolver

import (
	host "example.org/my-plugin/bindings/davit_registry_auth_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
)

func Resolve(registry, repository string, given *host.Endpoints) guest.Done {
	into := endpoints{guest.Lent(given)}
	return guest.Answer(func() error { return davit.TheRegistryAuth.Resolve(registry, repository, into) })
}

type endpoints struct{ raw *host.Endpoints }

func (e endpoints) Add(origin, prefix string) error { return guest.Check(e.raw.Add(origin, prefix)) }
