package main

import (
	"math"
	"testing"

	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/davittest"
)

// What is called beside the methods below ends the test.
type operation struct {
	davit.Operation
	kind        string
	image, team *string
	privileged  bool
}

func (o operation) Kind() string     { return o.kind }
func (o operation) Image() *string   { return o.image }
func (o operation) Privileged() bool { return o.privileged }
func (o operation) Field(pointer string) *string {
	if pointer != "/labels/team" {
		panic(pointer)
	}
	return o.team
}

type adjustment struct {
	davit.Adjustment
	*davittest.Host
}

func (a adjustment) Set(pointer, json string) error { return a.Record("set", pointer, json) }

type event struct{ davit.Event }

func (event) Kind() string  { return "container.die" }
func (event) Actor() string { return "c1" }

func TestAContainerWithoutATeamGetsTheSites(t *testing.T) {
	host := davittest.New(t, map[string]string{"team": "we\"b\x01"})
	create := operation{kind: "container.create"}
	host.Recorded(t, MyPlugin{}.Mutate(create, adjustment{Host: host}), `set /labels/team "we\"b\u0001"`)
	host.Refuse = "set"
	davittest.Failed(t, MyPlugin{}.Mutate(create, adjustment{Host: host}), davit.KindConflict, "the host refuses set")
	host.Lines = nil
	host.Recorded(t, MyPlugin{}.Mutate(operation{kind: "container.create", team: davittest.Text(`"own"`)}, adjustment{Host: host}))
	host.Recorded(t, MyPlugin{}.Mutate(operation{kind: "exec.create"}, adjustment{Host: host}))
	davittest.New(t, nil).Recorded(t, MyPlugin{}.Mutate(create, adjustment{Host: host}))
}

func TestImagesThatTheSiteRefusesAreNeitherPulledNorRun(t *testing.T) {
	davittest.New(t, map[string]string{"refuse": `["quay.io/", "docker.io/"]`})
	for _, kind := range []string{"image.pull", "container.create"} {
		err := MyPlugin{}.Admit(operation{kind: kind, image: davittest.Text("docker.io/a")})
		davittest.Failed(t, err, davit.KindDenied, "image docker.io/a is refused: images that begin with docker.io/ are")
	}
	for _, permitted := range []operation{{kind: "image.pull", image: davittest.Text("ghcr.io/a")}, {kind: "image.pull"}, {kind: "image.remove", image: davittest.Text("quay.io/a")}} {
		if err := (MyPlugin{}).Admit(permitted); err != nil {
			t.Errorf("%+v: %v", permitted, err)
		}
	}
	davittest.New(t, map[string]string{"refuse": "docker.io/"})
	err := MyPlugin{}.Admit(operation{kind: "image.pull", image: davittest.Text("a")})
	davittest.Failed(t, err, davit.KindInvalid, "refuse is a list of texts")
}

func TestPrivilegedContainersStartUnlessTheSiteSaysNever(t *testing.T) {
	host := davittest.New(t, nil)
	host.Recorded(t, MyPlugin{}.BeforeStart(operation{privileged: true}))
	host.Settings = map[string]string{"privileged": "never"}
	host.Recorded(t, MyPlugin{}.BeforeStart(operation{}))
	davittest.Failed(t, MyPlugin{}.BeforeStart(operation{privileged: true}), davit.KindDenied, "privileged containers are not started here")
}

func TestEndsAndEventsAreLogged(t *testing.T) {
	host := davittest.New(t, nil)
	if err := (MyPlugin{}).AfterExit(operation{}, math.MinInt32); err != nil {
		t.Error(err)
	}
	host.Recorded(t, MyPlugin{}.Observe(event{}), "log a container ended with -2147483648", "log container.die c1")
}
