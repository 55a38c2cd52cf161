//go:build wasip1

// Package export_davit_registry_auth_authenticator is the component's export davit:registry-auth/authenticator, which asks
// the plugin.
package export_davit_registry_auth_authenticator

import (
	host "example.org/my-plugin/bindings/davit_registry_auth_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
)

func Authenticate(given *host.Challenge, givenAnswer *host.Answer) guest.Done {
	asked, with := challenge{guest.Lent(given)}, answer{guest.Lent(givenAnswer)}
	return guest.Answer(func() error { return davit.TheRegistryAuth.Authenticate(asked, with) })
}

type challenge struct{ raw *host.Challenge }

func (c challenge) Registry() string          { return c.raw.Registry() }
func (c challenge) Scheme() string            { return c.raw.Scheme() }
func (c challenge) Param(key string) *string  { return guest.Pointer(c.raw.Param(key)) }
func (c challenge) Repository() *string       { return guest.Pointer(c.raw.Repository()) }
func (c challenge) Actions() []string         { return c.raw.Actions() }
func (c challenge) Offered() davit.Credential { return guest.WrapCredential(c.raw.Offered()) }
func (c challenge) Caller() string            { return c.raw.Caller() }
func (c challenge) Attempt() uint32           { return c.raw.Attempt() }

type answer struct{ raw *host.Answer }

func (a answer) Anonymous() { a.raw.Anonymous() }
func (a answer) Basic(one davit.Credential) error {
	return guest.Check(a.raw.Basic(guest.RawCredential(one)))
}
func (a answer) Bearer(token davit.Secret, seconds uint32) error {
	return guest.Check(a.raw.Bearer(guest.RawSecret(token), seconds))
}
func (a answer) BearerCredential(one davit.Credential, seconds uint32) error {
	return guest.Check(a.raw.BearerCredential(guest.RawCredential(one), seconds))
}
