// Storage by full copies: every layer is a whole tree, its parent's copied and the archive applied on top, and a
// container's root is one more copy. Slow and large, and works on any file system. Where the file system can share
// extents (reflink), the copies are cheap.
//
// Names in the area: `CHAIN.part` while a layer is written, `t-CHAIN` when it is committed, `r-ID` for a root.

#include "storage.h"

static text_t unfinished(layer_t layer) {
  TEXT chain = {0};
  storage_method_layer_chain_id(layer, &chain);
  return JOIN(chain, ".part");
}

static text_t committed(layer_t layer) {
  TEXT chain = {0};
  storage_method_layer_chain_id(layer, &chain);
  return JOIN("t-", chain);
}

static text_t root_of(text_t id) { return JOIN("r-", id); }

bool probe(facts_t facts, davit_error_t *err) {
  (void)facts, (void)err;
  return true;
}

bool prepare_layer(layer_t layer, steps_t steps, unpack_t unpack, davit_error_t *err) {
  TEXT at = unfinished(layer);
  // A parent that is still being written is copied when the core asks again.
  AUTO(layer_done) layer_own parent = {0};
  TEXT place = {0};
  bool copied = SOME(parent, storage_method_layer_parent(layer, &parent)) &&
                SOME(place, storage_method_layer_place(storage_borrow_layer(parent), &place));
  if (copied ? !storage_method_steps_clone_tree(steps, &place, &at, err)
             : !storage_method_steps_make_dir(steps, &at, err)) {
    return false;
  }
  if (!storage_method_unpack_into(unpack, &at, err)) return false;
  storage_method_unpack_needs_parent_first(unpack);
  return storage_method_unpack_whiteouts(unpack, T("apply"), err);
}

bool commit_layer(layer_t layer, steps_t steps, text_t *place, davit_error_t *err) {
  TEXT from = unfinished(layer);
  TEXT at = committed(layer);
  if (!storage_method_steps_rename(steps, &from, &at, err)) return false;
  *place = JOIN(at);
  return true;
}

bool prepare_root(text_t id, const layer_t *top, steps_t steps, root_t root, davit_error_t *err) {
  TEXT at = root_of(id);
  TEXT place = {0};
  if (top == NULL) {
    if (!storage_method_steps_make_dir(steps, &at, err)) return false;
  } else if (!SOME(place, storage_method_layer_place(*top, &place))) {
    TEXT chain = {0};
    storage_method_layer_chain_id(*top, &chain);
    return INVALID(err, "layer ", chain, " is not committed");
  } else if (!storage_method_steps_clone_tree(steps, &place, &at, err)) {
    return false;
  }
  return storage_method_root_tree(root, &at, true, err);
}

bool promote(text_t id, layer_t layer, steps_t steps, text_t *place, davit_error_t *err) {
  TEXT from = root_of(id);
  TEXT at = committed(layer);
  if (!storage_method_steps_rename(steps, &from, &at, err)) return false;
  *place = JOIN(at);
  return true;
}

bool remove_layer(layer_t layer, steps_t steps, davit_error_t *err) {
  TEXT at = {0};
  if (!SOME(at, storage_method_layer_place(layer, &at))) at = unfinished(layer);
  return storage_method_steps_discard(steps, &at, err);
}
