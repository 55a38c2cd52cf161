// The functions of a storage driver, which plugin.c holds. What they mean: wit/storage/storage.wit.
#ifndef STORAGE_H
#define STORAGE_H

#include "davit.h"

RESOURCE(storage, facts)
RESOURCE(storage, layer)
RESOURCE(storage, steps)
RESOURCE(storage, unpack)
RESOURCE(storage, root)

bool probe(facts_t facts, davit_error_t *err);
bool prepare_layer(layer_t layer, steps_t steps, unpack_t unpack, davit_error_t *err);
bool commit_layer(layer_t layer, steps_t steps, text_t *place, davit_error_t *err);
// `top` is NULL for an empty image.
bool prepare_root(text_t id, const layer_t *top, steps_t steps, root_t root, davit_error_t *err);
bool promote(text_t id, layer_t layer, steps_t steps, text_t *place, davit_error_t *err);
bool remove_layer(layer_t layer, steps_t steps, davit_error_t *err);

#endif
