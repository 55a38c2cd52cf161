// From the component's exports to the functions of storage.h: what a call was given is given back when it ends.

#include "storage.h"

bool exports_driver_probe(facts_own given_facts, davit_error_t *err) {
  AUTO(facts_done) facts_own facts = given_facts;
  return probe(storage_borrow_facts(facts), err);
}

bool exports_driver_prepare_layer(layer_own given_layer, steps_own given_steps, unpack_own given_unpack,
                                  davit_error_t *err) {
  AUTO(layer_done) layer_own layer = given_layer;
  AUTO(steps_done) steps_own steps = given_steps;
  AUTO(unpack_done) unpack_own unpack = given_unpack;
  return prepare_layer(storage_borrow_layer(layer), storage_borrow_steps(steps), storage_borrow_unpack(unpack), err);
}

bool exports_driver_commit_layer(layer_own given_layer, steps_own given_steps, text_t *place, davit_error_t *err) {
  AUTO(layer_done) layer_own layer = given_layer;
  AUTO(steps_done) steps_own steps = given_steps;
  return commit_layer(storage_borrow_layer(layer), storage_borrow_steps(steps), place, err);
}

bool exports_driver_prepare_root(text_t *given_id, layer_own *given_top, steps_own given_steps, root_own given_root,
                                 davit_error_t *err) {
  TEXT id = *given_id;
  AUTO(layer_done) layer_own top = given_top == NULL ? (layer_own){0} : *given_top;
  AUTO(steps_done) steps_own steps = given_steps;
  AUTO(root_done) root_own root = given_root;
  layer_t borrowed = storage_borrow_layer(top);
  return prepare_root(id, given_top == NULL ? NULL : &borrowed, storage_borrow_steps(steps), storage_borrow_root(root),
                      err);
}

bool exports_driver_promote(text_t *given_id, layer_own given_layer, steps_own given_steps, text_t *place,
                            davit_error_t *err) {
  TEXT id = *given_id;
  AUTO(layer_done) layer_own layer = given_layer;
  AUTO(steps_done) steps_own steps = given_steps;
  return promote(id, storage_borrow_layer(layer), storage_borrow_steps(steps), place, err);
}

bool exports_driver_remove_layer(layer_own given_layer, steps_own given_steps, davit_error_t *err) {
  AUTO(layer_done) layer_own layer = given_layer;
  AUTO(steps_done) steps_own steps = given_steps;
  return remove_layer(storage_borrow_layer(layer), storage_borrow_steps(steps), err);
}
