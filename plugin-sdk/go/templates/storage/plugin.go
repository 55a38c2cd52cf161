// Storage by full copies: every layer is a whole tree, its parent's copied and the archive applied on top, and a
// container's root is one more copy. Slow and large, and works on any file system. Where the file system can share
// extents (reflink), the copies are cheap.
//
// Names in the area: `CHAIN.part` while a layer is written, `t-CHAIN` when it is committed, `r-ID` for a root.
package main

import "example.org/my-plugin/davit"

// MyPlugin is the driver.
type MyPlugin struct{}

func unfinished(layer davit.Layer) string { return layer.ChainID() + ".part" }
func committed(layer davit.Layer) string  { return "t-" + layer.ChainID() }
func rootOf(id string) string             { return "r-" + id }

// Probe finds every file system good enough.
func (MyPlugin) Probe(davit.Facts) error { return nil }

// PrepareLayer begins with a copy of the parent.
func (MyPlugin) PrepareLayer(layer davit.Layer, steps davit.Steps, unpack davit.Unpack) error {
	at := unfinished(layer)
	// A parent that is still being written is copied when the core asks again.
	var place *string
	if parent := layer.Parent(); parent != nil {
		place = parent.Place()
	}
	if err := copyOrMake(steps, place, at); err != nil {
		return err
	}
	if err := unpack.Into(at); err != nil {
		return err
	}
	unpack.NeedsParentFirst()
	return unpack.Whiteouts("apply")
}

func copyOrMake(steps davit.Steps, place *string, at string) error {
	if place == nil {
		return steps.MakeDir(at)
	}
	return steps.CloneTree(*place, at)
}

// CommitLayer makes what was unpacked the layer.
func (MyPlugin) CommitLayer(layer davit.Layer, steps davit.Steps) (string, error) {
	at := committed(layer)
	return at, steps.Rename(unfinished(layer), at)
}

// PrepareRoot copies once more.
func (MyPlugin) PrepareRoot(id string, top davit.Layer, steps davit.Steps, root davit.Root) error {
	at := rootOf(id)
	var place *string
	if top != nil {
		if place = top.Place(); place == nil {
			return davit.Invalid("layer %s is not committed", top.ChainID())
		}
	}
	if err := copyOrMake(steps, place, at); err != nil {
		return err
	}
	return root.Tree(at, true)
}

// Promote makes a container's root the layer.
func (MyPlugin) Promote(id string, layer davit.Layer, steps davit.Steps) (string, error) {
	at := committed(layer)
	return at, steps.Rename(rootOf(id), at)
}

// RemoveLayer takes the layer away, or what was begun of it.
func (MyPlugin) RemoveLayer(layer davit.Layer, steps davit.Steps) error {
	if place := layer.Place(); place != nil {
		return steps.Discard(*place)
	}
	return steps.Discard(unfinished(layer))
}

func init() { davit.TheStorageDriver = MyPlugin{} }

// A plugin is called, never run.
func main() {}
