package davit

// Challenge is a registry's, or the moment before the first request.
type Challenge interface {
	Registry() string
	Scheme() string
	Param(key string) *string
	Repository() *string
	Actions() []string
	// Offered is nil where the caller sent no credential.
	Offered() Credential
	Caller() string
	Attempt() uint32
}

// Answer takes how to answer it.
type Answer interface {
	Anonymous()
	Basic(credential Credential) error
	Bearer(token Secret, seconds uint32) error
	BearerCredential(credential Credential, seconds uint32) error
}

// Endpoints takes where a repository is served, best first.
type Endpoints interface {
	Add(origin, prefix string) error
}

// ManifestView is a manifest whose trust is in question.
type ManifestView interface {
	Reference() string
	Digest() string
	MediaType() string
	Referrers(artifactType string) ([]string, error)
	Blob(digest string) ([]byte, error)
}

// RegistryAuth says how challenges are answered, which mirrors serve, and what is trusted. What each function is called for:
// wit/registry-auth/registry-auth.wit.
type RegistryAuth interface {
	Authenticate(challenge Challenge, answer Answer) error
	Resolve(registry, repository string, endpoints Endpoints) error
	Verify(manifest ManifestView) error
}

// TheRegistryAuth is the plugin.
var TheRegistryAuth RegistryAuth
