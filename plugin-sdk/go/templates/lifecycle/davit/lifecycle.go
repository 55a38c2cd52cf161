package davit

// Pair is a name with its value.
type Pair struct{ Name, Value string }

// Owner is a user with a group, as numbers.
type Owner struct{ User, Group uint32 }

// Operation is something that somebody asks of the engine.
type Operation interface {
	Kind() string
	Caller() string
	Image() *string
	ImageDigest() *string
	Labels() []Pair
	Privileged() bool
	MountsJSON() string
	// Field is JSON; nil where it is not there.
	Field(pointer string) *string
}

// Adjustment takes changes to a request.
type Adjustment interface {
	Set(pointer, json string) error
	// SecretFile takes nil for the container's own user.
	SecretFile(name, at string, mode uint32, owner *Owner) error
}

// Event is something that happened.
type Event interface {
	Kind() string
	Actor() string
	TimeMs() uint64
	Attribute(key string) *string
	Attributes() []Pair
}

// LifecyclePolicy has every hook around a container's life. What each is called for: wit/lifecycle/lifecycle.wit. A hook that
// you do not have goes from here, plugin.go, exports and world.wit, and its bindings are made anew.
type LifecyclePolicy interface {
	Mutate(operation Operation, adjustment Adjustment) error
	Admit(operation Operation) error
	BeforeStart(operation Operation) error
	AfterExit(operation Operation, status int32) error
	Observe(event Event) error
}

// TheLifecyclePolicy is the plugin.
var TheLifecyclePolicy LifecyclePolicy
