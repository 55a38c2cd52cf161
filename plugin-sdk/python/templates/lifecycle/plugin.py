"""
What this site wants to happen around a container's life.

    [plugins.my-plugin.config]
    team = "web"                     # a label for every container that has none of that name
    refuse = ["docker.io/"]          # images that begin with one of these are neither pulled nor run
    privileged = "never"             # absent: privileged containers start
"""

from __future__ import annotations

import json

from davit import Denied, Invalid, guarded, info
from wit_world import exports
from wit_world.imports import config, host


def list_of(text: str) -> list[str]:
    """The texts of a list in the site's file, where they come as JSON."""
    try:
        entries = json.loads(text)
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise Invalid("refuse is a list of texts")
    return entries


@guarded
class Mutate(exports.Mutate):
    def mutate(self, operation: host.Operation, adjustment: host.Adjustment) -> None:
        team = config.get("team")
        if team is None:
            return
        if operation.kind() == "container.create" and operation.field("/labels/team") is None:
            adjustment.set("/labels/team", json.dumps(team))


@guarded
class Admit(exports.Admit):
    def admit(self, operation: host.Operation) -> None:
        if operation.kind() not in ("image.pull", "container.create"):
            return
        image, refused = operation.image(), config.get("refuse")
        if image is None or refused is None:
            return
        for start in list_of(refused):
            if image.startswith(start):
                raise Denied(f"image {image} is refused: images that begin with {start} are")


@guarded
class BeforeStart(exports.BeforeStart):
    def before_start(self, operation: host.Operation) -> None:
        if operation.privileged() and config.get("privileged") == "never":
            raise Denied("privileged containers are not started here")


@guarded
class AfterExit(exports.AfterExit):
    def after_exit(self, operation: host.Operation, status: int) -> None:
        info(f"a container ended with {status}")


@guarded
class Observe(exports.Observe):
    def observe(self, event: host.Event) -> None:
        info(f"{event.kind()} {event.actor()}")
