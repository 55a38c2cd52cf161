//go:build wasip1

// Package export_davit_lifecycle_after_exit is the component's export davit:lifecycle/after-exit, which asks the plugin.
package export_davit_lifecycle_after_exit

import (
	host "example.org/my-plugin/bindings/davit_lifecycle_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
	"example.org/my-plugin/davit/internal/lifecycle"
)

func AfterExit(given *host.Operation, status int32) guest.Done {
	asked := lifecycle.Operation(given)
	return guest.Answer(func() error { return davit.TheLifecyclePolicy.AfterExit(asked, status) })
}
