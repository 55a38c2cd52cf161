//go:build wasip1

// Package export_davit_lifecycle_mutate is the component's export davit:lifecycle/mutate, which asks the plugin.
package export_davit_lifecycle_mutate

import (
	host "example.org/my-plugin/bindings/davit_lifecycle_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
	"example.org/my-plugin/davit/internal/lifecycle"
)

func Mutate(given *host.Operation, givenAdjustment *host.Adjustment) guest.Done {
	asked, changes := lifecycle.Operation(given), lifecycle.Adjustment(givenAdjustment)
	return guest.Answer(func() error { return davit.TheLifecyclePolicy.Mutate(asked, changes) })
}
