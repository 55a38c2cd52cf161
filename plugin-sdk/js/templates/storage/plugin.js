// Storage by full copies: every layer is a whole tree, its parent's copied and the archive applied on top, and a
// container's root is one more copy. Slow and large, and works on any file system. Where the file system can share
// extents (reflink), the copies are cheap.
//
// Names in the area: `CHAIN.part` while a layer is written, `t-CHAIN` when it is committed, `r-ID` for a root.

import { guarded, invalid } from './davit.js';

const unfinished = (layer) => `${layer.chainId()}.part`;
const committed = (layer) => `t-${layer.chainId()}`;
const rootOf = (id) => `r-${id}`;

function placeOf(layer) {
  const place = layer.place();
  if (place === undefined) {
    throw invalid(`layer ${layer.chainId()} is not committed`);
  }
  return place;
}

export const driver = guarded({
  probe(_facts) {},

  prepareLayer(layer, steps, unpack) {
    const at = unfinished(layer);
    // A parent that is still being written is copied when the core asks again.
    const parent = layer.parent()?.place();
    if (parent !== undefined) {
      steps.cloneTree(parent, at);
    } else {
      steps.makeDir(at);
    }
    unpack.into(at);
    unpack.needsParentFirst();
    unpack.whiteouts('apply');
  },

  commitLayer(layer, steps) {
    const at = committed(layer);
    steps.rename(unfinished(layer), at);
    return at;
  },

  prepareRoot(id, top, steps, root) {
    const at = rootOf(id);
    if (top !== undefined) {
      steps.cloneTree(placeOf(top), at);
    } else {
      steps.makeDir(at);
    }
    root.tree(at, true);
  },

  promote(id, layer, steps) {
    const at = committed(layer);
    steps.rename(rootOf(id), at);
    return at;
  },

  removeLayer(layer, steps) {
    steps.discard(layer.place() ?? unfinished(layer));
  },
});
