// What makes the generated bindings (bindings/plugin.h) pleasant: texts, errors, and handles that are given back where
// their scope ends. Nothing here traps: where memory is used up, a text is empty and an error is `internal`.
#ifndef DAVIT_H
#define DAVIT_H

#include "bindings/plugin.h"

// ---- What ends with its scope -------------------------------------------------------------------------------------

#define AUTO(done) __attribute__((cleanup(done)))

// Short names for a resource of an interface: `layer_t` is borrowed, as plans and requests are; `layer_own` is ours and is
// given back by `AUTO(layer_done) layer_own x = {0};`.
#define RESOURCE(interface, name)                                                                                       \
  typedef interface##_borrow_##name##_t name##_t;                                                                       \
  typedef interface##_own_##name##_t name##_own;                                                                        \
  static inline void name##_done(name##_own *own) {                                                                     \
    if (own->__handle != 0) interface##_##name##_drop_own(*own);                                                        \
    own->__handle = 0;                                                                                                  \
  }

// What may be missing: `SOME(place, storage_method_layer_place(layer, &place))` is the call's bool, and `place` is `{0}` where it
// is false. By itself the call leaves anything there.
#define SOME(out, call) (out = (__typeof__(out)){0}, (call) || (out = (__typeof__(out)){0}, false))

// The same for a list of them: `AUTO(layers_done) layers_t x = {0};`.
#define RESOURCES(interface, name)                                                                                      \
  typedef interface##_list_own_##name##_t name##s_t;                                                                    \
  static inline void name##s_done(name##s_t *list) {                                                                    \
    for (size_t i = 0; i < list->len; i++) name##_done(&list->ptr[i]);                                                  \
    interface##_list_own_##name##_free(list);                                                                           \
  }

// ---- Texts --------------------------------------------------------------------------------------------------------

// UTF-8 with a length and no closing zero.
typedef plugin_string_t text_t;

// A text of our own, freed where its scope ends.
#define TEXT AUTO(plugin_string_free) text_t

// A pointer to a text that is a literal, as functions of the host want their arguments.
#define T(literal) (&(text_t){.ptr = (uint8_t *)(literal), .len = sizeof(literal) - 1})

// A view of a C string; not to be freed.
text_t text(const char *from);

// A new text made of up to eight parts, each a C string or a text.
#define JOIN(...) join(sizeof(PARTS(__VA_ARGS__)) / sizeof(text_t), PARTS(__VA_ARGS__))
text_t join(size_t count, const text_t *parts);

bool text_is(text_t a, const char *b);
bool text_begins(text_t a, text_t with);
bool text_holds(text_t a, const char *part);

// A decimal number; false where it is none, or too large for the type.
bool text_u32(text_t digits, uint32_t *number);
bool text_u64(text_t digits, uint64_t *number);

// New texts: a number in digits, a text in quotes for people (Rust's `{:?}`), a text as a JSON string.
text_t digits(uint64_t number);
text_t quoted(text_t from);
text_t json_string(text_t from);

// A JSON list of strings as texts; false where it is something else. Freed with `AUTO(plugin_list_string_free)`.
typedef plugin_list_string_t texts_t;
bool json_strings(text_t json, texts_t *list);

// ---- Errors -------------------------------------------------------------------------------------------------------

// `return DENIED(err, "image ", image, " is refused");`: each fills the error and is false, as failing functions are.
#define INVALID(err, ...) fail(err, DAVIT_ERROR_INVALID, JOIN(__VA_ARGS__))
#define NOT_FOUND(err, ...) fail(err, DAVIT_ERROR_NOT_FOUND, JOIN(__VA_ARGS__))
#define CONFLICT(err, ...) fail(err, DAVIT_ERROR_CONFLICT, JOIN(__VA_ARGS__))
#define DENIED(err, ...) fail(err, DAVIT_ERROR_DENIED, JOIN(__VA_ARGS__))
#define UNSUPPORTED(err, ...) fail(err, DAVIT_ERROR_UNSUPPORTED, JOIN(__VA_ARGS__))
#define INTERNAL(err, ...) fail(err, DAVIT_ERROR_INTERNAL, JOIN(__VA_ARGS__))
#define OTHER(err, ...) fail(err, DAVIT_ERROR_OTHER, JOIN(__VA_ARGS__))
// After so many milliseconds it may work; 0 where unknown.
#define UNAVAILABLE(err, retry_ms, ...) unavailable(err, retry_ms, JOIN(__VA_ARGS__))

// They keep `message`.
bool fail(davit_error_t *err, uint8_t why, text_t message);
bool unavailable(davit_error_t *err, uint64_t retry_ms, text_t message);

// ---- The host -----------------------------------------------------------------------------------------------------

// One line for the plugin's log.
#define LOG(level, ...)                                                                                                 \
  do {                                                                                                                  \
    TEXT line = JOIN(__VA_ARGS__);                                                                                      \
    log_write(DAVIT_LOG_##level, &line);                                                                                \
  } while (0)
#define DAVIT_LOG_TRACE LOG_LEVEL_TRACE
#define DAVIT_LOG_DEBUG LOG_LEVEL_DEBUG
#define DAVIT_LOG_INFO LOG_LEVEL_INFO
#define DAVIT_LOG_WARN LOG_LEVEL_WARN
#define DAVIT_LOG_ERROR LOG_LEVEL_ERROR

// A value of the plugin's section of the site's file, freed where its scope ends.
#define OPTION AUTO(plugin_option_string_free) plugin_option_string_t

// ---- How JOIN takes C strings and texts alike ---------------------------------------------------------------------

static inline text_t text_itself(text_t from) { return from; }
#define PART(x) _Generic((x), char *: text, const char *: text, text_t: text_itself)(x)
#define PARTS1(a) PART(a)
#define PARTS2(a, ...) PART(a), PARTS1(__VA_ARGS__)
#define PARTS3(a, ...) PART(a), PARTS2(__VA_ARGS__)
#define PARTS4(a, ...) PART(a), PARTS3(__VA_ARGS__)
#define PARTS5(a, ...) PART(a), PARTS4(__VA_ARGS__)
#define PARTS6(a, ...) PART(a), PARTS5(__VA_ARGS__)
#define PARTS7(a, ...) PART(a), PARTS6(__VA_ARGS__)
#define PARTS8(a, ...) PART(a), PARTS7(__VA_ARGS__)
#define PARTS_OF(a, b, c, d, e, f, g, h, chosen, ...) chosen
#define PARTS(...)                                                                                                      \
  ((const text_t[]){                                                                                                    \
      PARTS_OF(__VA_ARGS__, PARTS8, PARTS7, PARTS6, PARTS5, PARTS4, PARTS3, PARTS2, PARTS1, )(__VA_ARGS__)})

#endif
