// How this site logs in to registries: with the credential that the caller sent, else anonymously; tokens are fetched
// from the realm that the registry names (distribution token specification).
//
//	[plugins.my-plugin.config]
//	mirror = "https://mirror.example"    # asked first; absent: the registry itself
//	digest = "required"                  # only what is pinned by a digest; absent: everything
package main

import (
	"fmt"
	"strings"

	"example.org/my-plugin/davit"
)

// MyPlugin is the site's way to log in.
type MyPlugin struct{}

const (
	// The token specification's default, which registries rely on.
	defaultSeconds = 60
	// A token is asked for anew this long before it ends, so that it does not end on its way.
	margin = 5
	client = "davit"
)

func basic(challenge davit.Challenge, answer davit.Answer) error {
	credential := challenge.Offered()
	if credential == nil {
		registry := challenge.Registry()
		return davit.Denied("%s wants a login, and there is no credential for it; run: davit login %s", registry, registry)
	}
	if err := refuseSecondTry(challenge); err != nil {
		return err
	}
	return answer.Basic(credential)
}

// The same credential would be refused again.
func refuseSecondTry(challenge davit.Challenge) error {
	if challenge.Attempt() <= 2 {
		return nil
	}
	return davit.Denied("%s refused the credential", challenge.Registry())
}

// `repository:NAME:ACTIONS`, as the registry asked for it or as we need it.
func scope(challenge davit.Challenge) *string {
	if scope := challenge.Param("scope"); scope != nil {
		return scope
	}
	repository := challenge.Repository()
	if repository == nil {
		return nil
	}
	ours := fmt.Sprintf("repository:%s:%s", *repository, strings.Join(challenge.Actions(), ","))
	return &ours
}

// Percent-encoding for a query (RFC 3986, everything but unreserved characters).
func encoded(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		letter := b | 0x20
		if (letter >= 'a' && letter <= 'z') || (b >= '0' && b <= '9') || strings.IndexByte("-._~", b) >= 0 {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

func askByGet(challenge davit.Challenge, realm string, credential davit.Credential) (davit.Response, error) {
	url, separator := realm, "?"
	if strings.Contains(realm, "?") {
		separator = "&"
	}
	add := func(key, value string) {
		url += separator + key + "=" + encoded(value)
		separator = "&"
	}
	if service := challenge.Param("service"); service != nil {
		add("service", *service)
	}
	if scope := scope(challenge); scope != nil {
		for _, one := range strings.Split(*scope, " ") {
			add("scope", one)
		}
	}
	if credential != nil {
		if user := credential.User(); user != nil {
			add("account", *user)
		}
	}
	add("client_id", client)
	request := davit.NewRequest("GET", url)
	if credential != nil {
		if err := request.Basic(credential); err != nil {
			return nil, err
		}
	}
	return request.Send()
}

func askByRefresh(challenge davit.Challenge, realm string, credential davit.Credential) (davit.Response, error) {
	request := davit.NewRequest("POST", realm)
	fields := [][2]string{{"grant_type", "refresh_token"}, {"client_id", client}}
	if service := challenge.Param("service"); service != nil {
		fields = append(fields, [2]string{"service", *service})
	}
	if scope := scope(challenge); scope != nil {
		fields = append(fields, [2]string{"scope", *scope})
	}
	for _, field := range fields {
		if err := request.Form(field[0], field[1]); err != nil {
			return nil, err
		}
	}
	if err := request.FormCredential("refresh_token", credential); err != nil {
		return nil, err
	}
	return request.Send()
}

func checkStatus(response davit.Response, realm string) error {
	status := response.Status()
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status == 401 || status == 403:
		return davit.Denied("the token server %s refused the credential", realm)
	case status == 429 || (status >= 500 && status <= 599):
		seconds := uint64(1)
		if said := response.Header("retry-after"); said != nil {
			if number, ok := davit.Number(*said, 64); ok {
				seconds = number
			}
		}
		return davit.Unavailable(seconds*1000, "the token server %s answered %d", realm, status)
	default:
		return davit.Other("the token server %s answered %d", realm, status)
	}
}

func seconds(response davit.Response) (uint32, error) {
	said, err := response.JSON("/expires_in")
	if err != nil {
		return 0, err
	}
	seconds := uint32(defaultSeconds)
	if said != nil {
		if number, ok := davit.Number(*said, 32); ok {
			seconds = uint32(number)
		}
	}
	return seconds - min(seconds, margin), nil
}

func takeToken(response davit.Response) (davit.Secret, error) {
	token, err := response.TakeSecret("/token")
	if davit.Is(err, davit.KindNotFound) {
		return response.TakeSecret("/access_token")
	}
	return token, err
}

func bearer(challenge davit.Challenge, answer davit.Answer) error {
	credential := challenge.Offered()
	kind := ""
	if credential != nil {
		kind = credential.Kind()
	}
	if kind == "registry-token" {
		if err := refuseSecondTry(challenge); err != nil {
			return err
		}
		return answer.BearerCredential(credential, 0)
	}
	realm := challenge.Param("realm")
	if realm == nil {
		return davit.Invalid("%s asks for a token and names no realm", challenge.Registry())
	}
	if challenge.Attempt() > 3 {
		return davit.Denied("%s refuses the tokens of %s: the account may lack %s", challenge.Registry(), *realm,
			strings.Join(challenge.Actions(), " and "))
	}
	ask := askByGet
	if kind == "identity-token" {
		ask = askByRefresh
	}
	response, err := ask(challenge, *realm, credential)
	if err != nil {
		return err
	}
	if err := checkStatus(response, *realm); err != nil {
		return err
	}
	token, err := takeToken(response)
	if err != nil {
		return err
	}
	lasts, err := seconds(response)
	if err != nil {
		return err
	}
	return answer.Bearer(token, lasts)
}

// Authenticate answers a challenge.
func (MyPlugin) Authenticate(challenge davit.Challenge, answer davit.Answer) error {
	switch scheme := challenge.Scheme(); scheme {
	case "none":
		// Nothing is sent before it is asked for.
		answer.Anonymous()
		return nil
	case "basic":
		return basic(challenge, answer)
	case "bearer":
		return bearer(challenge, answer)
	default:
		davit.Warn("%s asks for %s", challenge.Registry(), scheme)
		return davit.Unsupported("the authentication scheme %s", davit.Quoted(scheme))
	}
}

// Resolve names the site's mirror.
func (MyPlugin) Resolve(_, _ string, endpoints davit.Endpoints) error {
	origin, err := davit.Config("mirror")
	if err != nil || origin == nil {
		return err
	}
	return endpoints.Add(*origin, "")
}

// Verify trusts what is pinned, where the site wants that.
func (MyPlugin) Verify(manifest davit.ManifestView) error {
	reference := manifest.Reference()
	said, err := davit.Config("digest")
	if err != nil || said == nil || *said != "required" || strings.Contains(reference, "@sha256:") {
		return err
	}
	return davit.Denied("%s is not pinned by a digest; it is %s now", reference, manifest.Digest())
}

func init() { davit.TheRegistryAuth = MyPlugin{} }

// A plugin is called, never run.
func main() {}
