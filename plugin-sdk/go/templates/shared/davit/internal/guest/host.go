//go:build wasip1

package guest

import (
	"example.org/my-plugin/bindings/davit_host_clock"
	"example.org/my-plugin/bindings/davit_host_config"
	"example.org/my-plugin/bindings/davit_host_http"
	"example.org/my-plugin/bindings/davit_host_log"
	"example.org/my-plugin/bindings/davit_host_secrets"
	"example.org/my-plugin/bindings/davit_host_state"
	"example.org/my-plugin/davit"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

func init() { davit.Use(host{}) }

type host struct{}

func (host) Log(level davit.Level, message string) { davit_host_log.Write(uint8(level), message) }
func (host) NowMs() uint64                         { return davit_host_clock.NowMs() }
func (host) MonotonicNs() uint64                   { return davit_host_clock.MonotonicNs() }

func (host) Config(key string) (*string, error) {
	value, err := Take(davit_host_config.Get(key))
	if err != nil {
		return nil, err
	}
	return Pointer(value), nil
}

func (host) ConfigSection() (string, error) { return Take(davit_host_config.SectionJson()) }

func (host) State(key string) ([]byte, bool, error) {
	value, err := Take(davit_host_state.Get(key))
	if err != nil || value.IsNone() {
		return nil, false, err
	}
	return value.Some(), true, nil
}

func (host) SwapState(key string, expected, replacement []byte) (bool, error) {
	return Take(davit_host_state.Swap(key, bytes(expected), bytes(replacement)))
}

func bytes(value []byte) wit.Option[[]byte] {
	if value == nil {
		return wit.None[[]byte]()
	}
	return wit.Some(value)
}

func (host) StateKeys(prefix string) ([]string, error) { return Take(davit_host_state.Keys(prefix)) }

func (host) Secret(name string) (davit.Secret, error) {
	raw, err := TakeLent(davit_host_secrets.Named(name))
	if err != nil {
		return nil, err
	}
	return secret{raw}, nil
}

func (host) StoredCredential(server string) (davit.Credential, error) {
	raw, err := Take(davit_host_secrets.Stored(server))
	if err != nil {
		return nil, err
	}
	return WrapCredential(raw), nil
}

func (host) NewRequest(method, url string) davit.Request {
	return request{Lent(davit_host_http.MakeRequest(method, url))}
}

type secret struct{ raw *davit_host_secrets.Secret }

func (s secret) Fingerprint() string { return s.raw.Fingerprint() }
func (s secret) HmacSha256(data []byte) ([]byte, error) {
	return Take(s.raw.HmacSha256(data))
}

// RawSecret is the resource of a secret of this host.
func RawSecret(one davit.Secret) *davit_host_secrets.Secret { return one.(secret).raw }

type credential struct {
	raw *davit_host_secrets.Credential
}

func (c credential) User() *string { return Pointer(c.raw.User()) }
func (c credential) Kind() string  { return c.raw.Kind() }

// WrapCredential is a credential that may be missing; nil where it is.
func WrapCredential(option wit.Option[*davit_host_secrets.Credential]) davit.Credential {
	if option.IsNone() {
		return nil
	}
	return credential{Lent(option.Some())}
}

// RawCredential is the resource of a credential of this host.
func RawCredential(one davit.Credential) *davit_host_secrets.Credential { return one.(credential).raw }

type request struct{ raw *davit_host_http.Request }

func (r request) Header(name, value string) error { return Check(r.raw.Header(name, value)) }
func (r request) Basic(one davit.Credential) error {
	return Check(r.raw.Basic(RawCredential(one)))
}
func (r request) Bearer(one davit.Secret) error  { return Check(r.raw.Bearer(RawSecret(one))) }
func (r request) Form(field, value string) error { return Check(r.raw.Form(field, value)) }
func (r request) FormSecret(field string, one davit.Secret) error {
	return Check(r.raw.FormSecret(field, RawSecret(one)))
}
func (r request) FormCredential(field string, one davit.Credential) error {
	return Check(r.raw.FormCredential(field, RawCredential(one)))
}
func (r request) Body(bytes []byte) error { return Check(r.raw.Body(bytes)) }

func (r request) Send() (davit.Response, error) {
	raw, err := TakeLent(r.raw.Send())
	if err != nil {
		return nil, err
	}
	return response{raw}, nil
}

type response struct{ raw *davit_host_http.Response }

func (r response) Status() uint16             { return r.raw.Status() }
func (r response) Header(name string) *string { return Pointer(r.raw.Header(name)) }
func (r response) Body() ([]byte, error)      { return Take(r.raw.Body()) }

func (r response) TakeSecret(pointer string) (davit.Secret, error) {
	raw, err := TakeLent(r.raw.TakeSecret(pointer))
	if err != nil {
		return nil, err
	}
	return secret{raw}, nil
}

func (r response) JSON(pointer string) (*string, error) {
	value, err := Take(r.raw.Json(pointer))
	if err != nil {
		return nil, err
	}
	return Pointer(value), nil
}
