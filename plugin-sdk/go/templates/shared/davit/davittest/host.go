// Package davittest is a small host for the tests of a policy, which run without an engine.
package davittest

import (
	"fmt"
	"strings"
	"testing"

	"example.org/my-plugin/davit"
)

// Host answers from a site's settings and writes down what it is told. What it has no answer for ends the test.
type Host struct {
	davit.Host // nil: a call of what is not below is a mistake of the test
	Settings   map[string]string
	Lines      []string
	// HTTP is asked for requests.
	HTTP func(method, url string) davit.Request
	// Refuse is the word of a step that fails.
	Refuse string
}

// New is a host with these settings, in use until the test ends.
func New(t *testing.T, settings map[string]string) *Host {
	t.Helper()
	before := davit.Engine()
	t.Cleanup(func() { davit.Use(before) })
	host := &Host{Settings: settings}
	davit.Use(host)
	return host
}

// Config looks a setting up.
func (h *Host) Config(key string) (*string, error) {
	value, there := h.Settings[key]
	if !there {
		return nil, nil
	}
	return &value, nil
}

// Log writes a line down.
func (h *Host) Log(_ davit.Level, message string) { _ = h.Record("log", message) }

// NewRequest is what HTTP says.
func (h *Host) NewRequest(method, url string) davit.Request { return h.HTTP(method, url) }

// Record writes a step down, or answers an error where it is to be refused.
func (h *Host) Record(words ...any) error {
	if words[0] == h.Refuse {
		return davit.Conflict("the host refuses %s", words[0])
	}
	h.Lines = append(h.Lines, strings.TrimSuffix(fmt.Sprintln(words...), "\n"))
	return nil
}

// Recorded ends the test where something else was recorded, or err is not nil.
func (h *Host) Recorded(t *testing.T, err error, lines ...string) {
	t.Helper()
	if err != nil {
		t.Fatalf("failed: %v", err)
	}
	if got, want := strings.Join(h.Lines, "\n"), strings.Join(lines, "\n"); got != want {
		t.Fatalf("recorded:\n%s\nand not:\n%s", got, want)
	}
}

// Failed ends the test where err is not of that kind with that message.
func Failed(t *testing.T, err error, kind davit.Kind, message string) {
	t.Helper()
	if err == nil || davit.AsError(err).Kind != kind || err.Error() != message {
		t.Fatalf("%v, and not of kind %d: %s", err, kind, message)
	}
}

// Text is a text that is there.
func Text(text string) *string { return &text }
