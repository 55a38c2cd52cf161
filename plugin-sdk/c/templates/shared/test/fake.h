// A small engine for the plugin's own test, which runs here and not in WebAssembly: handles that are counted, a site's
// settings, and what the plugin recorded, as lines of text. What the interfaces of its kind do is in plugin_test.c.
#ifndef FAKE_H
#define FAKE_H

#include "davit.h"

// Forgets everything.
void fake_reset(void);

// A handle for something of the test's; lent handles are given back by the plugin, and `fake_open` counts those that are not.
int32_t fake_lend(const void *object);
// What a handle stands for; ends the test where it was given back.
const void *fake_object(int32_t handle);
void fake_back(int32_t handle);
int fake_open(void);

// A key of the plugin's section of the site's file.
void fake_config(const char *key, const char *value);

// Adds a line of so many words to what was recorded.
#define RECORD(...) fake_record(sizeof(PARTS(__VA_ARGS__)) / sizeof(text_t), PARTS(__VA_ARGS__))
void fake_record(size_t count, const text_t *words);
// Makes the next line that begins with this word fail: `FAKE_RECORDED(err, …)` answers what the host would.
void fake_refuse(const char *word);
#define FAKE_RECORDED(err, ...) (fake_refused(err, PARTS(__VA_ARGS__)[0]) ? false : (RECORD(__VA_ARGS__), true))
bool fake_refused(davit_error_t *err, text_t word);

// A text of the fake's as the host gives one to the plugin: the plugin frees it. False where there is none.
bool fake_give(const char *from, text_t *to);

// Ends the test with a message where it does not hold.
#define CHECK(holds)                                                                                                    \
  do {                                                                                                                  \
    if (!(holds)) fake_wrong(__FILE__, __LINE__, #holds);                                                               \
  } while (0)
// A call's outcome: it went well and recorded these lines, or failed with this kind and message.
#define WENT_WELL(ok, err, lines) fake_went_well(__FILE__, __LINE__, ok, err, lines)
#define FAILED(ok, err, why, message) fake_failed(__FILE__, __LINE__, ok, err, why, message)
void fake_wrong(const char *file, int line, const char *what);
void fake_went_well(const char *file, int line, bool ok, davit_error_t *err, const char *lines);
void fake_failed(const char *file, int line, bool ok, davit_error_t *err, uint8_t why, const char *message);

#endif
