//go:build wasip1

// Package export_davit_lifecycle_before_start is the component's export davit:lifecycle/before-start, which asks the plugin.
package export_davit_lifecycle_before_start

import (
	host "example.org/my-plugin/bindings/davit_lifecycle_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
	"example.org/my-plugin/davit/internal/lifecycle"
)

func BeforeStart(given *host.Operation) guest.Done {
	asked := lifecycle.Operation(given)
	return guest.Answer(func() error { return davit.TheLifecyclePolicy.BeforeStart(asked) })
}
