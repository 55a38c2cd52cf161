package davit

// Facts are what the file system beneath the driver's area can do.
type Facts interface {
	Has(feature string) bool
	FreeBytes() uint64
}

// Layer is one of an image, with all that is beneath it.
type Layer interface {
	ChainID() string
	// Parent is nil for the base.
	Parent() Layer
	// Place is nil while it is not committed.
	Place() *string
}

// Steps are what the core does, in order.
type Steps interface {
	MakeDir(at string) error
	CloneTree(src, dst string) error
	Subvolume(at string) error
	Snapshot(src, dst string) error
	MakeImage(src, dst, format string) error
	Rename(src, dst string) error
	Quota(at string, bytes uint64) error
	Discard(at string) error
}

// Unpack says how a layer's archive is written.
type Unpack interface {
	Into(at string) error
	NeedsParentFirst()
	Whiteouts(style string) error
}

// Root says what a container's root is made of.
type Root interface {
	// Overlay takes nil for both of the last where the root is read-only.
	Overlay(lower []string, upper, work *string) error
	Tree(at string, writable bool) error
	Image(at, format string) error
	ChangesIn(at, style string) error
}

// StorageDriver says where layers are kept and what a container's root is made of. The same request must give the same
// plan. What each function is called for: wit/storage/storage.wit.
type StorageDriver interface {
	Probe(facts Facts) error
	PrepareLayer(layer Layer, steps Steps, unpack Unpack) error
	CommitLayer(layer Layer, steps Steps) (place string, err error)
	// PrepareRoot has a top of nil for an empty image.
	PrepareRoot(id string, top Layer, steps Steps, root Root) error
	Promote(id string, layer Layer, steps Steps) (place string, err error)
	RemoveLayer(layer Layer, steps Steps) error
}

// TheStorageDriver is the plugin.
var TheStorageDriver StorageDriver
