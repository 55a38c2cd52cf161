//go:build wasip1

// Package export_davit_lifecycle_observe is the component's export davit:lifecycle/observe, which asks the plugin.
package export_davit_lifecycle_observe

import (
	host "example.org/my-plugin/bindings/davit_lifecycle_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
	"example.org/my-plugin/davit/internal/lifecycle"
)

func Observe(given *host.Event) guest.Done {
	event := lifecycle.Event(given)
	return guest.Answer(func() error { return davit.TheLifecyclePolicy.Observe(event) })
}
