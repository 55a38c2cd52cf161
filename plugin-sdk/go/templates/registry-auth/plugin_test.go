package main

import (
	"testing"

	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/davittest"
)

// What is called beside the methods below ends the test.
type challenge struct {
	scheme, credential string
	params             map[string]string
	repository         *string
	attempt            uint32
}

func (c challenge) Registry() string    { return "r.example" }
func (c challenge) Scheme() string      { return c.scheme }
func (c challenge) Repository() *string { return c.repository }
func (c challenge) Actions() []string   { return []string{"pull", "push"} }
func (c challenge) Caller() string      { return "uid:0" }
func (c challenge) Attempt() uint32     { return c.attempt }
func (c challenge) Param(key string) *string {
	if value, there := c.params[key]; there {
		return &value
	}
	return nil
}
func (c challenge) Offered() davit.Credential {
	if c.credential == "" {
		return nil
	}
	return credential(c.credential)
}

// A credential is its kind; a password has a user.
type credential string

func (c credential) Kind() string { return string(c) }
func (c credential) User() *string {
	if c != "password" {
		return nil
	}
	return davittest.Text("some one")
}

type secret struct {
	davit.Secret
	from string
}

type answer struct{ *davittest.Host }

func (a answer) Anonymous()                     { _ = a.Record("anonymous") }
func (a answer) Basic(c davit.Credential) error { return a.Record("basic", c.Kind()) }
func (a answer) Bearer(token davit.Secret, seconds uint32) error {
	return a.Record("bearer", token.(secret).from, seconds)
}
func (a answer) BearerCredential(c davit.Credential, seconds uint32) error {
	return a.Record("bearer-credential", c.Kind(), seconds)
}

// A token server, and a request to it.
type server struct {
	davit.Request
	*davittest.Host
	answers response
}

func (s server) Basic(c davit.Credential) error { return s.Record("with-basic", c.Kind()) }
func (s server) Form(field, value string) error { return s.Record("form", field, value) }
func (s server) FormCredential(field string, c davit.Credential) error {
	return s.Record("form-credential", field, c.Kind())
}
func (s server) Send() (davit.Response, error) { return s.answers, s.Record("send") }

type response struct {
	davit.Response
	status                uint16
	token                 string
	retryAfter, expiresIn *string
}

func (r response) Status() uint16               { return r.status }
func (r response) Header(string) *string        { return r.retryAfter }
func (r response) JSON(string) (*string, error) { return r.expiresIn, nil }
func (r response) TakeSecret(pointer string) (davit.Secret, error) {
	if pointer != r.token {
		return nil, davit.NotFound("nothing at %s", pointer)
	}
	return secret{from: pointer}, nil
}

func serving(t *testing.T, answers response) *davittest.Host {
	host := davittest.New(t, nil)
	host.HTTP = func(method, url string) davit.Request {
		_ = host.Record(method, url)
		return server{Host: host, answers: answers}
	}
	return host
}

func bearerOf(credential string, params map[string]string) challenge {
	return challenge{scheme: "bearer", credential: credential, params: params, repository: davittest.Text("team/a")}
}

func TestNothingIsSentBeforeItIsAskedFor(t *testing.T) {
	host := davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.Authenticate(challenge{scheme: "none", credential: "password"}, answer{host}), "anonymous")
}

func TestBasicIsTheCallersCredentialOnce(t *testing.T) {
	host := davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.Authenticate(challenge{scheme: "basic", credential: "password", attempt: 2}, answer{host}), "basic password")
	err := MyPlugin{}.Authenticate(challenge{scheme: "basic", credential: "password", attempt: 3}, answer{host})
	davittest.Failed(t, err, davit.KindDenied, "r.example refused the credential")
	err = MyPlugin{}.Authenticate(challenge{scheme: "basic"}, answer{host})
	davittest.Failed(t, err, davit.KindDenied, "r.example wants a login, and there is no credential for it; run: davit login r.example")
	err = MyPlugin{}.Authenticate(challenge{scheme: `nego"tiate`}, answer{host})
	davittest.Failed(t, err, davit.KindUnsupported, `the authentication scheme "nego\"tiate"`)
}

func TestATokenIsFetchedFromTheRealm(t *testing.T) {
	host := serving(t, response{status: 200, token: "/token", expiresIn: davittest.Text("300")})
	asked := bearerOf("password", map[string]string{"realm": "https://a/t", "service": "r e", "scope": "s1 s2"})
	host.Recorded(t, MyPlugin{}.Authenticate(asked, answer{host}),
		"GET https://a/t?service=r%20e&scope=s1&scope=s2&account=some%20one&client_id=davit", "with-basic password", "send", "bearer /token 295")

	host = serving(t, response{status: 200, token: "/access_token"})
	host.Recorded(t, MyPlugin{}.Authenticate(bearerOf("", map[string]string{"realm": "https://a/t?x"}), answer{host}),
		"GET https://a/t?x&scope=repository%3Ateam%2Fa%3Apull%2Cpush&client_id=davit", "send", "bearer /access_token 55")

	host = serving(t, response{status: 200, token: "/token", expiresIn: davittest.Text("3")})
	host.Recorded(t, MyPlugin{}.Authenticate(bearerOf("identity-token", map[string]string{"realm": "https://a/t", "scope": "s"}), answer{host}),
		"POST https://a/t", "form grant_type refresh_token", "form client_id davit", "form scope s",
		"form-credential refresh_token identity-token", "send", "bearer /token 0")

	host = davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.Authenticate(bearerOf("registry-token", nil), answer{host}), "bearer-credential registry-token 0")
}

func TestWhatTheTokenServerRefusesIsSaid(t *testing.T) {
	asked := bearerOf("", map[string]string{"realm": "https://a/t"})
	for _, one := range []struct {
		answers response
		kind    davit.Kind
		message string
	}{
		{response{status: 403}, davit.KindDenied, "the token server https://a/t refused the credential"},
		{response{status: 404}, davit.KindOther, "the token server https://a/t answered 404"},
		{response{status: 503}, davit.KindUnavailable, "the token server https://a/t answered 503"},
		{response{status: 200, token: "/other"}, davit.KindNotFound, "nothing at /access_token"},
	} {
		host := serving(t, one.answers)
		davittest.Failed(t, MyPlugin{}.Authenticate(asked, answer{host}), one.kind, one.message)
	}
	host := serving(t, response{status: 429, retryAfter: davittest.Text("7")})
	if err := davit.AsError(MyPlugin{}.Authenticate(asked, answer{host})); err.RetryMs != 7000 {
		t.Errorf("%+v", err)
	}
	asked.attempt = 4
	davittest.Failed(t, MyPlugin{}.Authenticate(asked, answer{host}), davit.KindDenied,
		"r.example refuses the tokens of https://a/t: the account may lack pull and push")
	davittest.Failed(t, MyPlugin{}.Authenticate(bearerOf("", nil), answer{host}), davit.KindInvalid,
		"r.example asks for a token and names no realm")
}

type endpoints struct{ *davittest.Host }

func (e endpoints) Add(origin, prefix string) error { return e.Record("add", origin+prefix) }

type manifest struct {
	davit.ManifestView
	reference string
}

func (m manifest) Reference() string { return m.reference }
func (m manifest) Digest() string    { return "sha256:1" }

func TestMirrorsAndDigestsAreTheSitesWords(t *testing.T) {
	host := davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.Resolve("r.example", "team/a", endpoints{host}))
	host.Recorded(t, MyPlugin{}.Verify(manifest{reference: "r.example/a:1"}))
	host.Settings = map[string]string{"mirror": "https://mirror.example", "digest": "required"}
	host.Recorded(t, MyPlugin{}.Verify(manifest{reference: "r.example/a@sha256:1"}))
	davittest.Failed(t, MyPlugin{}.Verify(manifest{reference: "r.example/a:1"}), davit.KindDenied,
		"r.example/a:1 is not pinned by a digest; it is sha256:1 now")
	host.Recorded(t, MyPlugin{}.Resolve("r.example", "team/a", endpoints{host}), "add https://mirror.example")
}
