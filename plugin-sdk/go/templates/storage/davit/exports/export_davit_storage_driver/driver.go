//go:build wasip1

// Package export_davit_storage_driver is the component's export davit:storage/driver, which asks the plugin.
package export_davit_storage_driver

import (
	host "example.org/my-plugin/bindings/davit_storage_host"
	types "example.org/my-plugin/bindings/davit_types_types"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

type text = wit.Result[string, types.Error]

func Probe(given *host.Facts) guest.Done {
	guest.Lent(given)
	return guest.Answer(func() error { return davit.TheStorageDriver.Probe(given) })
}

func PrepareLayer(given *host.Layer, givenSteps *host.Steps, givenUnpack *host.Unpack) guest.Done {
	of, with, into := layer{guest.Lent(given)}, steps{guest.Lent(givenSteps)}, unpack{guest.Lent(givenUnpack)}
	return guest.Answer(func() error { return davit.TheStorageDriver.PrepareLayer(of, with, into) })
}

func CommitLayer(given *host.Layer, givenSteps *host.Steps) text {
	of, with := layer{guest.Lent(given)}, steps{guest.Lent(givenSteps)}
	return guest.Value(func() (string, error) { return davit.TheStorageDriver.CommitLayer(of, with) })
}

func PrepareRoot(id string, givenTop wit.Option[*host.Layer], givenSteps *host.Steps, givenRoot *host.Root) guest.Done {
	top, with, on := optional(givenTop), steps{guest.Lent(givenSteps)}, root{guest.Lent(givenRoot)}
	return guest.Answer(func() error { return davit.TheStorageDriver.PrepareRoot(id, top, with, on) })
}

func Promote(id string, given *host.Layer, givenSteps *host.Steps) text {
	of, with := layer{guest.Lent(given)}, steps{guest.Lent(givenSteps)}
	return guest.Value(func() (string, error) { return davit.TheStorageDriver.Promote(id, of, with) })
}

func RemoveLayer(given *host.Layer, givenSteps *host.Steps) guest.Done {
	of, with := layer{guest.Lent(given)}, steps{guest.Lent(givenSteps)}
	return guest.Answer(func() error { return davit.TheStorageDriver.RemoveLayer(of, with) })
}

type layer struct{ raw *host.Layer }

func optional(given wit.Option[*host.Layer]) davit.Layer {
	if given.IsNone() {
		return nil
	}
	return layer{guest.Lent(given.Some())}
}

func (l layer) ChainID() string     { return l.raw.ChainId() }
func (l layer) Parent() davit.Layer { return optional(l.raw.Parent()) }
func (l layer) Place() *string      { return guest.Pointer(l.raw.Place()) }

type steps struct{ raw *host.Steps }

func (s steps) MakeDir(at string) error         { return guest.Check(s.raw.MakeDir(at)) }
func (s steps) CloneTree(src, dst string) error { return guest.Check(s.raw.CloneTree(src, dst)) }
func (s steps) Subvolume(at string) error       { return guest.Check(s.raw.Subvolume(at)) }
func (s steps) Snapshot(src, dst string) error  { return guest.Check(s.raw.Snapshot(src, dst)) }
func (s steps) MakeImage(src, dst, format string) error {
	return guest.Check(s.raw.MakeImage(src, dst, format))
}
func (s steps) Rename(src, dst string) error        { return guest.Check(s.raw.Rename(src, dst)) }
func (s steps) Quota(at string, bytes uint64) error { return guest.Check(s.raw.Quota(at, bytes)) }
func (s steps) Discard(at string) error             { return guest.Check(s.raw.Discard(at)) }

type unpack struct{ raw *host.Unpack }

func (u unpack) Into(at string) error         { return guest.Check(u.raw.Into(at)) }
func (u unpack) NeedsParentFirst()            { u.raw.NeedsParentFirst() }
func (u unpack) Whiteouts(style string) error { return guest.Check(u.raw.Whiteouts(style)) }

type root struct{ raw *host.Root }

func (r root) Overlay(lower []string, upper, work *string) error {
	return guest.Check(r.raw.Overlay(lower, guest.Option(upper), guest.Option(work)))
}
func (r root) Tree(at string, writable bool) error { return guest.Check(r.raw.Tree(at, writable)) }
func (r root) Image(at, format string) error       { return guest.Check(r.raw.Image(at, format)) }
func (r root) ChangesIn(at, style string) error    { return guest.Check(r.raw.ChangesIn(at, style)) }
