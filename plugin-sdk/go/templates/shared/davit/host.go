package davit

import "fmt"

// Level says how loud a line of the log is.
type Level uint8

// The levels, as in wit/host/log.wit.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

// Host is what every plugin may ask of the engine; wit/host says what each function does and which errors it has. A text
// that may be missing is a pointer. In the engine it is there; a test puts its own in its place with Use.
type Host interface {
	Log(level Level, message string)
	NowMs() uint64
	MonotonicNs() uint64
	Config(key string) (*string, error)
	ConfigSection() (string, error)
	State(key string) (value []byte, there bool, err error)
	// SwapState takes nil for a value that is not there.
	SwapState(key string, expected, replacement []byte) (bool, error)
	StateKeys(prefix string) ([]string, error)
	Secret(name string) (Secret, error)
	// StoredCredential is nil where the site has none.
	StoredCredential(server string) (Credential, error)
	NewRequest(method, url string) Request
}

// Secret is a key, token or password that the plugin never sees.
type Secret interface {
	Fingerprint() string
	HmacSha256(data []byte) ([]byte, error)
}

// Credential is one for a registry.
type Credential interface {
	User() *string
	Kind() string
}

// Request is one to an origin that was granted.
type Request interface {
	Header(name, value string) error
	Basic(credential Credential) error
	Bearer(secret Secret) error
	Form(field, value string) error
	FormSecret(field string, secret Secret) error
	FormCredential(field string, credential Credential) error
	Body(bytes []byte) error
	Send() (Response, error)
}

// Response is the answer to one.
type Response interface {
	Status() uint16
	Header(name string) *string
	Body() ([]byte, error)
	TakeSecret(pointer string) (Secret, error)
	JSON(pointer string) (*string, error)
}

var current Host

// Use makes host the one that everything here asks.
func Use(host Host) { current = host }

// Engine is the host, for what has no shorter way.
func Engine() Host { return current }

// Config is a value of the plugin's section of the site's file; nil where it is not there.
func Config(key string) (*string, error) { return current.Config(key) }

// NewRequest begins an HTTP request.
func NewRequest(method, url string) Request { return current.NewRequest(method, url) }

// Debug writes a line for the author.
func Debug(format string, args ...any) { current.Log(LevelDebug, fmt.Sprintf(format, args...)) }

// Info writes a line for the operator.
func Info(format string, args ...any) { current.Log(LevelInfo, fmt.Sprintf(format, args...)) }

// Warn writes a line about something to look at.
func Warn(format string, args ...any) { current.Log(LevelWarn, fmt.Sprintf(format, args...)) }
