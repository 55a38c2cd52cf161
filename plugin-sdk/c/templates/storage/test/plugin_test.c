// The driver's plans, over a small engine.

#include "fake.h"
#include "storage.h"

#include <stdio.h>

// ---- The host's functions of wit/storage -------------------------------------------------------------------------------

typedef struct image_layer {
  const char *chain_id, *place;
  const struct image_layer *parent;
} image_layer;

static const image_layer *layer_of(layer_t layer) { return fake_object(layer.__handle); }

void storage_method_layer_chain_id(layer_t self, text_t *ret) { fake_give(layer_of(self)->chain_id, ret); }
bool storage_method_layer_place(layer_t self, text_t *ret) { return fake_give(layer_of(self)->place, ret); }
bool storage_method_layer_parent(layer_t self, layer_own *ret) {
  const image_layer *parent = layer_of(self)->parent;
  ret->__handle = parent != NULL ? fake_lend(parent) : 0xa5;
  return parent != NULL;
}

bool storage_method_steps_make_dir(steps_t self, text_t *at, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "make-dir", *at);
}
bool storage_method_steps_clone_tree(steps_t self, text_t *src, text_t *dst, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "clone-tree", *src, *dst);
}
bool storage_method_steps_rename(steps_t self, text_t *src, text_t *dst, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "rename", *src, *dst);
}
bool storage_method_steps_discard(steps_t self, text_t *at, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "discard", *at);
}
bool storage_method_unpack_into(unpack_t self, text_t *at, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "into", *at);
}
void storage_method_unpack_needs_parent_first(unpack_t self) {
  fake_object(self.__handle);
  RECORD("needs-parent-first");
}
bool storage_method_unpack_whiteouts(unpack_t self, text_t *style, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "whiteouts", *style);
}
bool storage_method_root_tree(root_t self, text_t *at, bool writable, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "tree", *at, writable ? "writable" : "read-only");
}

#define HANDLE_FUNCTIONS(name)                                                                                          \
  name##_t storage_borrow_##name(name##_own own) { return (name##_t){own.__handle}; }                                   \
  void storage_##name##_drop_own(name##_own own) { fake_back(own.__handle); }
HANDLE_FUNCTIONS(facts)
HANDLE_FUNCTIONS(layer)
HANDLE_FUNCTIONS(steps)
HANDLE_FUNCTIONS(unpack)
HANDLE_FUNCTIONS(root)

// ---- Calls as the host makes them --------------------------------------------------------------------------------------

static const image_layer base = {"aa", "t-aa", NULL}, unfinished_base = {"aa", NULL, NULL};
static const image_layer upper = {"bb", NULL, &base}, upper_early = {"bb", NULL, &unfinished_base};

static davit_error_t error;

static layer_own lent(const image_layer *layer) { return (layer_own){fake_lend(layer)}; }
static steps_own steps(void) { return (steps_own){fake_lend("steps")}; }
static bool prepared(const image_layer *layer) {
  return exports_driver_prepare_layer(lent(layer), steps(), (unpack_own){fake_lend("unpack")}, &error);
}
static bool rooted(const image_layer *top) {
  layer_own handle = {0};
  if (top != NULL) handle = lent(top);
  text_t id = JOIN("c1");
  return exports_driver_prepare_root(&id, top == NULL ? NULL : &handle, steps(), (root_own){fake_lend("root")}, &error);
}

static void a_layer_is_a_copy_of_its_parent_once_that_is_committed(void) {
  WENT_WELL(prepared(&base), &error, "make-dir aa.part\ninto aa.part\nneeds-parent-first\nwhiteouts apply\n");
  WENT_WELL(prepared(&upper_early), &error, "make-dir bb.part\ninto bb.part\nneeds-parent-first\nwhiteouts apply\n");
  WENT_WELL(prepared(&upper), &error,
            "clone-tree t-aa bb.part\ninto bb.part\nneeds-parent-first\nwhiteouts apply\n");
}

static void a_layer_gets_its_place_when_it_is_committed_or_promoted(void) {
  text_t place, id = JOIN("c1");
  bool ok = exports_driver_commit_layer(lent(&upper), steps(), &place, &error);
  CHECK(text_is(place, "t-bb"));
  plugin_string_free(&place);
  WENT_WELL(ok, &error, "rename bb.part t-bb\n");
  ok = exports_driver_promote(&id, lent(&upper), steps(), &place, &error);
  CHECK(text_is(place, "t-bb"));
  plugin_string_free(&place);
  WENT_WELL(ok, &error, "rename r-c1 t-bb\n");
}

static void a_root_is_one_more_copy(void) {
  WENT_WELL(rooted(&base), &error, "clone-tree t-aa r-c1\ntree r-c1 writable\n");
  WENT_WELL(rooted(NULL), &error, "make-dir r-c1\ntree r-c1 writable\n");
  FAILED(rooted(&upper), &error, DAVIT_ERROR_INVALID, "layer bb is not committed");
}

static void what_is_removed_is_the_place_or_what_was_begun(void) {
  WENT_WELL(exports_driver_remove_layer(lent(&base), steps(), &error), &error, "discard t-aa\n");
  WENT_WELL(exports_driver_remove_layer(lent(&upper), steps(), &error), &error, "discard bb.part\n");
}

static void an_error_of_the_host_is_handed_on(void) {
  static const char *const words[] = {"clone-tree", "into", "whiteouts"};
  static const char *const messages[] = {"the host refuses clone-tree", "the host refuses into",
                                         "the host refuses whiteouts"};
  for (int i = 0; i < 3; i++) {
    fake_refuse(words[i]);
    FAILED(prepared(&upper), &error, DAVIT_ERROR_CONFLICT, messages[i]);
  }
}

int main(void) {
  a_layer_is_a_copy_of_its_parent_once_that_is_committed();
  a_layer_gets_its_place_when_it_is_committed_or_promoted();
  a_root_is_one_more_copy();
  what_is_removed_is_the_place_or_what_was_begun();
  an_error_of_the_host_is_handed_on();
  puts("5 tests passed");
  return 0;
}
