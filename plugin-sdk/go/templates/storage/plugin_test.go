package main

import (
	"testing"

	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/davittest"
)

type layer struct {
	chain  string
	place  *string
	parent *layer
}

func (l *layer) ChainID() string { return l.chain }
func (l *layer) Place() *string  { return l.place }
func (l *layer) Parent() davit.Layer {
	if l.parent == nil {
		return nil
	}
	return l.parent
}

// What is called beside these ends the test.
type steps struct {
	davit.Steps
	*davittest.Host
}

func (s steps) MakeDir(at string) error         { return s.Record("make-dir", at) }
func (s steps) CloneTree(src, dst string) error { return s.Record("clone-tree", src, dst) }
func (s steps) Rename(src, dst string) error    { return s.Record("rename", src, dst) }
func (s steps) Discard(at string) error         { return s.Record("discard", at) }

type unpack struct{ *davittest.Host }

func (u unpack) Into(at string) error         { return u.Record("into", at) }
func (u unpack) NeedsParentFirst()            { _ = u.Record("needs-parent-first") }
func (u unpack) Whiteouts(style string) error { return u.Record("whiteouts", style) }

type root struct {
	davit.Root
	*davittest.Host
}

func (r root) Tree(at string, writable bool) error { return r.Record("tree", at, writable) }

var (
	base       = &layer{chain: "aa", place: davittest.Text("t-aa")}
	upper      = &layer{chain: "bb", parent: base}
	upperEarly = &layer{chain: "bb", parent: &layer{chain: "aa"}}
)

func TestALayerIsACopyOfItsParentOnceThatIsCommitted(t *testing.T) {
	rest := []string{"into bb.part", "needs-parent-first", "whiteouts apply"}
	host := davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.PrepareLayer(upper, steps{Host: host}, unpack{host}), append([]string{"clone-tree t-aa bb.part"}, rest...)...)
	host = davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.PrepareLayer(upperEarly, steps{Host: host}, unpack{host}), append([]string{"make-dir bb.part"}, rest...)...)
}

func TestALayerGetsItsPlaceWhenItIsCommittedOrPromoted(t *testing.T) {
	host := davittest.New(t, nil)
	place, err := MyPlugin{}.CommitLayer(upper, steps{Host: host})
	if host.Recorded(t, err, "rename bb.part t-bb"); place != "t-bb" {
		t.Error(place)
	}
	host = davittest.New(t, nil)
	place, err = MyPlugin{}.Promote("c1", upper, steps{Host: host})
	if host.Recorded(t, err, "rename r-c1 t-bb"); place != "t-bb" {
		t.Error(place)
	}
}

func TestARootIsOneMoreCopy(t *testing.T) {
	host := davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.PrepareRoot("c1", base, steps{Host: host}, root{Host: host}), "clone-tree t-aa r-c1", "tree r-c1 true")
	host = davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.PrepareRoot("c1", nil, steps{Host: host}, root{Host: host}), "make-dir r-c1", "tree r-c1 true")
	err := MyPlugin{}.PrepareRoot("c1", upper, steps{Host: host}, root{Host: host})
	davittest.Failed(t, err, davit.KindInvalid, "layer bb is not committed")
}

func TestWhatIsRemovedIsThePlaceOrWhatWasBegun(t *testing.T) {
	host := davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.RemoveLayer(base, steps{Host: host}), "discard t-aa")
	host = davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.RemoveLayer(upper, steps{Host: host}), "discard bb.part")
}

func TestAnErrorOfTheHostIsHandedOn(t *testing.T) {
	for _, word := range []string{"clone-tree", "into", "whiteouts"} {
		host := davittest.New(t, nil)
		host.Refuse = word
		err := MyPlugin{}.PrepareLayer(upper, steps{Host: host}, unpack{host})
		davittest.Failed(t, err, davit.KindConflict, "the host refuses "+word)
	}
}
