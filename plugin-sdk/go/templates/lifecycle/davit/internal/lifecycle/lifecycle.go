//go:build wasip1

// Package lifecycle is the way from the bindings of davit:lifecycle/host to package davit, for all hooks.
package lifecycle

import (
	host "example.org/my-plugin/bindings/davit_lifecycle_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

type operation struct{ raw *host.Operation }

// Operation is lent for the call.
func Operation(raw *host.Operation) davit.Operation { return operation{guest.Lent(raw)} }

func (o operation) Kind() string         { return o.raw.Kind() }
func (o operation) Caller() string       { return o.raw.Caller() }
func (o operation) Image() *string       { return guest.Pointer(o.raw.Image()) }
func (o operation) ImageDigest() *string { return guest.Pointer(o.raw.ImageDigest()) }
func (o operation) Labels() []davit.Pair { return pairs(o.raw.Labels()) }
func (o operation) Privileged() bool     { return o.raw.Privileged() }
func (o operation) MountsJSON() string   { return o.raw.MountsJson() }
func (o operation) Field(pointer string) *string {
	return guest.Pointer(o.raw.Field(pointer))
}

type adjustment struct{ raw *host.Adjustment }

// Adjustment is lent for the call.
func Adjustment(raw *host.Adjustment) davit.Adjustment { return adjustment{guest.Lent(raw)} }

func (a adjustment) Set(pointer, json string) error { return guest.Check(a.raw.Set(pointer, json)) }
func (a adjustment) SecretFile(name, at string, mode uint32, owner *davit.Owner) error {
	given := wit.None[wit.Tuple2[uint32, uint32]]()
	if owner != nil {
		given = wit.Some(wit.Tuple2[uint32, uint32]{F0: owner.User, F1: owner.Group})
	}
	return guest.Check(a.raw.SecretFile(name, at, mode, given))
}

type event struct{ raw *host.Event }

// Event is lent for the call.
func Event(raw *host.Event) davit.Event { return event{guest.Lent(raw)} }

func (e event) Kind() string                 { return e.raw.Kind() }
func (e event) Actor() string                { return e.raw.Actor() }
func (e event) TimeMs() uint64               { return e.raw.TimeMs() }
func (e event) Attribute(key string) *string { return guest.Pointer(e.raw.Attribute(key)) }
func (e event) Attributes() []davit.Pair     { return pairs(e.raw.Attributes()) }

func pairs(given []wit.Tuple2[string, string]) (all []davit.Pair) {
	for _, pair := range given {
		all = append(all, davit.Pair{Name: pair.F0, Value: pair.F1})
	}
	return all
}
