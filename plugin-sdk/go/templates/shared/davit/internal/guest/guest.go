//go:build wasip1

// Package guest is the way from the generated bindings to package davit: errors, missing values, resources that are given
// back, panics that become errors. It holds no policy.
package guest

import (
	"fmt"
	"runtime/debug"

	"example.org/my-plugin/bindings/davit_host_log"
	types "example.org/my-plugin/bindings/davit_types_types"
	"example.org/my-plugin/davit"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Done is the answer of an export without a value.
type Done = wit.Result[wit.Unit, types.Error]

// A resource is given back by Drop.
type resource interface{ Drop() }

// What a call was lent. A call has an instance of its own, so there is one list. It also keeps resources from the
// collector, whose cleanups would call the host at moments when that is forbidden.
var lent []resource

// Lent keeps a resource until the call ends.
func Lent[T resource](one T) T {
	lent = append(lent, one)
	return one
}

func giveBack() {
	for i := len(lent) - 1; i >= 0; i-- {
		lent[i].Drop()
	}
	lent = nil
}

// Answer makes a call of the policy: its error becomes the contract's, and so does its panic, whose stack goes to the log.
func Answer(call func() error) Done {
	return Value(func() (wit.Unit, error) { return wit.Unit{}, call() })
}

// Value is Answer for an export with a value.
func Value[T any](call func() (T, error)) (result wit.Result[T, types.Error]) {
	defer giveBack()
	defer func() {
		if reason := recover(); reason != nil {
			davit_host_log.Write(davit_host_log.LevelError, fmt.Sprintf("panic: %v\n%s", reason, debug.Stack()))
			result = wit.Err[T](types.MakeErrorInternal(fmt.Sprintf("panic: %v", reason)))
		}
	}()
	value, err := call()
	if err != nil {
		return wit.Err[T](toContract(davit.AsError(err)))
	}
	return wit.Ok[T, types.Error](value)
}

func toContract(err *davit.Error) types.Error {
	switch err.Kind {
	case davit.KindInvalid:
		return types.MakeErrorInvalid(err.Message)
	case davit.KindNotFound:
		return types.MakeErrorNotFound(err.Message)
	case davit.KindConflict:
		return types.MakeErrorConflict(err.Message)
	case davit.KindDenied:
		return types.MakeErrorDenied(err.Message)
	case davit.KindUnsupported:
		return types.MakeErrorUnsupported(err.Message)
	case davit.KindUnavailable:
		return types.MakeErrorUnavailable(types.Unavailability{RetryMs: err.RetryMs, Message: err.Message})
	case davit.KindInternal:
		return types.MakeErrorInternal(err.Message)
	default:
		return types.MakeErrorOther(err.Message)
	}
}

func fromContract(err types.Error) error {
	switch err.Tag() {
	case types.ErrorInvalid:
		return &davit.Error{Kind: davit.KindInvalid, Message: err.Invalid()}
	case types.ErrorNotFound:
		return &davit.Error{Kind: davit.KindNotFound, Message: err.NotFound()}
	case types.ErrorConflict:
		return &davit.Error{Kind: davit.KindConflict, Message: err.Conflict()}
	case types.ErrorDenied:
		return &davit.Error{Kind: davit.KindDenied, Message: err.Denied()}
	case types.ErrorUnsupported:
		return &davit.Error{Kind: davit.KindUnsupported, Message: err.Unsupported()}
	case types.ErrorUnavailable:
		gone := err.Unavailable()
		return &davit.Error{Kind: davit.KindUnavailable, Message: gone.Message, RetryMs: gone.RetryMs}
	case types.ErrorInternal:
		return &davit.Error{Kind: davit.KindInternal, Message: err.Internal()}
	default:
		return &davit.Error{Kind: davit.KindOther, Message: err.Other()}
	}
}

// Check is the error of a function of the host without a value.
func Check(result Done) error {
	_, err := Take(result)
	return err
}

// Take is the value of a function of the host, or its error.
func Take[T any](result wit.Result[T, types.Error]) (value T, err error) {
	if result.IsErr() {
		return value, fromContract(result.Err())
	}
	return result.Ok(), nil
}

// TakeLent is Take for a resource, kept until the call ends.
func TakeLent[T resource](result wit.Result[T, types.Error]) (T, error) {
	value, err := Take(result)
	if err == nil {
		Lent(value)
	}
	return value, err
}

// Pointer is a value that may be missing, nil where it is.
func Pointer[T any](option wit.Option[T]) *T {
	if option.IsNone() {
		return nil
	}
	value := option.Some()
	return &value
}

// Option is the way back.
func Option[T any](value *T) wit.Option[T] {
	if value == nil {
		return wit.None[T]()
	}
	return wit.Some(*value)
}
