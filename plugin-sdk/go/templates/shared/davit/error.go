// Package davit is what a plugin's author sees of the engine: the contract of wit/ in Go's own manner. It knows nothing of
// WebAssembly, so that a policy is tested by `go test`; the way to the engine is in internal/guest and exports.
package davit

import (
	"errors"
	"fmt"
)

// Kind says what an error is about, in the order of davit:types.
type Kind uint8

// The kinds of errors; what each means is said in wit/types/types.wit.
const (
	KindInvalid Kind = iota
	KindNotFound
	KindConflict
	KindDenied
	KindUnsupported
	KindUnavailable
	KindInternal
	KindOther
)

// Error is the contract's error. What the host answers is one; a function may return it as it is.
type Error struct {
	Kind    Kind
	Message string
	// RetryMs is how long to wait where the kind is KindUnavailable; 0 where that is unknown.
	RetryMs uint64
}

func (e *Error) Error() string { return e.Message }

// AsError is the contract's error in err, with the text of the whole of err; KindOther where none is in it.
func AsError(err error) *Error {
	var inner *Error
	if !errors.As(err, &inner) {
		return &Error{Kind: KindOther, Message: err.Error()}
	}
	return &Error{Kind: inner.Kind, Message: err.Error(), RetryMs: inner.RetryMs}
}

// Is says whether err is of that kind.
func Is(err error, kind Kind) bool { return err != nil && AsError(err).Kind == kind }

// Invalid is for a request that makes no sense.
func Invalid(format string, args ...any) error { return failure(KindInvalid, format, args) }

// NotFound is for something that the request names and that does not exist.
func NotFound(format string, args ...any) error { return failure(KindNotFound, format, args) }

// Conflict is for a request that collides with what is there.
func Conflict(format string, args ...any) error { return failure(KindConflict, format, args) }

// Denied is policy's no.
func Denied(format string, args ...any) error { return failure(KindDenied, format, args) }

// Unsupported is for what this policy cannot do.
func Unsupported(format string, args ...any) error { return failure(KindUnsupported, format, args) }

// Internal is for a policy that is broken.
func Internal(format string, args ...any) error { return failure(KindInternal, format, args) }

// Other is for anything else.
func Other(format string, args ...any) error { return failure(KindOther, format, args) }

// Unavailable is for what may work later: after so many milliseconds, or 0.
func Unavailable(retryMs uint64, format string, args ...any) error {
	return &Error{Kind: KindUnavailable, Message: fmt.Sprintf(format, args...), RetryMs: retryMs}
}

func failure(kind Kind, format string, args []any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}
