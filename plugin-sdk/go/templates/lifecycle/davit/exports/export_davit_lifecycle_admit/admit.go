//go:build wasip1

// Package export_davit_lifecycle_admit is the component's export davit:lifecycle/admit, which asks the plugin.
package export_davit_lifecycle_admit

import (
	host "example.org/my-plugin/bindings/davit_lifecycle_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
	"example.org/my-plugin/davit/internal/lifecycle"
)

func Admit(given *host.Operation) guest.Done {
	asked := lifecycle.Operation(given)
	return guest.Answer(func() error { return davit.TheLifecyclePolicy.Admit(asked) })
}
