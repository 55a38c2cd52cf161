// What this site wants to happen around a container's life.
//
//	[plugins.my-plugin.config]
//	team = "web"                     # a label for every container that has none of that name
//	refuse = ["docker.io/"]          # images that begin with one of these are neither pulled nor run
//	privileged = "never"             # absent: privileged containers start
package main

import (
	"strings"

	"example.org/my-plugin/davit"
)

// MyPlugin is the policy.
type MyPlugin struct{}

// Mutate labels a container with the site's team.
func (MyPlugin) Mutate(operation davit.Operation, adjustment davit.Adjustment) error {
	team, err := davit.Config("team")
	if err != nil || team == nil {
		return err
	}
	if operation.Kind() != "container.create" || operation.Field("/labels/team") != nil {
		return nil
	}
	return adjustment.Set("/labels/team", davit.JSONString(*team))
}

// Admit refuses images that the site does not want.
func (MyPlugin) Admit(operation davit.Operation) error {
	if kind := operation.Kind(); kind != "image.pull" && kind != "container.create" {
		return nil
	}
	image := operation.Image()
	list, err := davit.Config("refuse")
	if err != nil || image == nil || list == nil {
		return err
	}
	refused, ok := davit.JSONStrings(*list)
	if !ok {
		return davit.Invalid("refuse is a list of texts")
	}
	for _, start := range refused {
		if strings.HasPrefix(*image, start) {
			return davit.Denied("image %s is refused: images that begin with %s are", *image, start)
		}
	}
	return nil
}

// BeforeStart refuses privileged containers where the site says so.
func (MyPlugin) BeforeStart(operation davit.Operation) error {
	if !operation.Privileged() {
		return nil
	}
	said, err := davit.Config("privileged")
	if err != nil || said == nil || *said != "never" {
		return err
	}
	return davit.Denied("privileged containers are not started here")
}

// AfterExit writes down how a container ended.
func (MyPlugin) AfterExit(_ davit.Operation, status int32) error {
	davit.Info("a container ended with %d", status)
	return nil
}

// Observe writes down what happened.
func (MyPlugin) Observe(event davit.Event) error {
	davit.Info("%s %s", event.Kind(), event.Actor())
	return nil
}

func init() { davit.TheLifecyclePolicy = MyPlugin{} }

// A plugin is called, never run.
func main() {}
