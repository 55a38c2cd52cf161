"""
Storage by full copies: every layer is a whole tree, its parent's copied and the archive applied on top, and a
container's root is one more copy. Slow and large, and works on any file system. Where the file system can share extents
(reflink), the copies are cheap.

Names in the area: `CHAIN.part` while a layer is written, `t-CHAIN` when it is committed, `r-ID` for a root.
"""

from __future__ import annotations

from davit import Invalid, guarded
from wit_world import exports
from wit_world.imports import host


def unfinished(layer: host.Layer) -> str:
    return f"{layer.chain_id()}.part"


def committed(layer: host.Layer) -> str:
    return f"t-{layer.chain_id()}"


def root_of(id: str) -> str:
    return f"r-{id}"


def place_of(layer: host.Layer) -> str:
    place = layer.place()
    if place is None:
        raise Invalid(f"layer {layer.chain_id()} is not committed")
    return place


@guarded
class Driver(exports.Driver):
    def probe(self, facts: host.Facts) -> None:
        pass

    def prepare_layer(self, layer: host.Layer, steps: host.Steps, unpack: host.Unpack) -> None:
        at = unfinished(layer)
        # A parent that is still being written is copied when the core asks again.
        parent = layer.parent()
        place = None if parent is None else parent.place()
        if place is not None:
            steps.clone_tree(place, at)
        else:
            steps.make_dir(at)
        unpack.into(at)
        unpack.needs_parent_first()
        unpack.whiteouts("apply")

    def commit_layer(self, layer: host.Layer, steps: host.Steps) -> str:
        at = committed(layer)
        steps.rename(unfinished(layer), at)
        return at

    def prepare_root(self, id: str, top: host.Layer | None, steps: host.Steps, root: host.Root) -> None:
        at = root_of(id)
        if top is not None:
            steps.clone_tree(place_of(top), at)
        else:
            steps.make_dir(at)
        root.tree(at, True)

    def promote(self, id: str, layer: host.Layer, steps: host.Steps) -> str:
        at = committed(layer)
        steps.rename(root_of(id), at)
        return at

    def remove_layer(self, layer: host.Layer, steps: host.Steps) -> None:
        place = layer.place()
        steps.discard(unfinished(layer) if place is None else place)
