// See fake.h. Under the same names as the host's functions that bindings/plugin.h declares.

#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES = 1024, SETTINGS = 8 };

static struct {
  const void *objects[HANDLES];
  int lent, open;
  const char *keys[SETTINGS], *values[SETTINGS];
  int settings;
  char lines[65536];
  const char *refused;
} fake;

void fake_reset(void) { memset(&fake, 0, sizeof fake); }

void fake_wrong(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  exit(1);
}

// ---- Handles ----------------------------------------------------------------------------------------------------------

int32_t fake_lend(const void *object) {
  CHECK(fake.lent + 1 < HANDLES);
  fake.open++;
  fake.objects[++fake.lent] = object;
  return fake.lent;
}

const void *fake_object(int32_t handle) {
  CHECK(handle > 0 && handle <= fake.lent && fake.objects[handle] != NULL);
  return fake.objects[handle];
}

void fake_back(int32_t handle) {
  fake_object(handle);
  fake.objects[handle] = NULL;
  fake.open--;
}

int fake_open(void) { return fake.open; }

// ---- Settings and texts -----------------------------------------------------------------------------------------------

void fake_config(const char *key, const char *value) {
  CHECK(fake.settings < SETTINGS);
  fake.keys[fake.settings] = key;
  fake.values[fake.settings++] = value;
}

bool fake_give(const char *from, text_t *to) {
  if (from == NULL) {
    // As the bindings do: what is there is of no use.
    memset(to, 0xa5, sizeof *to);
    return false;
  }
  *to = JOIN(from);
  return true;
}

bool config_get(text_t *key, plugin_option_string_t *value, davit_error_t *err) {
  (void)err;
  *value = (plugin_option_string_t){0};
  for (int i = 0; i < fake.settings; i++) {
    if (text_is(*key, fake.keys[i])) value->is_some = fake_give(fake.values[i], &value->val);
  }
  return true;
}

void log_write(log_level_t level, text_t *message) {
  (void)level;
  RECORD("log", *message);
}

// As bindings/plugin.c has them.
void plugin_string_free(text_t *text) {
  if (text->len > 0) free(text->ptr);
  *text = (text_t){0};
}

void plugin_option_string_free(plugin_option_string_t *option) {
  if (option->is_some) plugin_string_free(&option->val);
}

void plugin_list_string_free(plugin_list_string_t *list) {
  for (size_t i = 0; i < list->len; i++) plugin_string_free(&list->ptr[i]);
  if (list->len > 0) free(list->ptr);
}

// ---- What was recorded ------------------------------------------------------------------------------------------------

void fake_record(size_t count, const text_t *words) {
  size_t at = strlen(fake.lines);
  for (size_t i = 0; i < count; i++) {
    CHECK(at + words[i].len + 2 < sizeof fake.lines);
    if (words[i].len > 0) memcpy(fake.lines + at, words[i].ptr, words[i].len);
    at += words[i].len;
    fake.lines[at++] = i + 1 < count ? ' ' : '\n';
  }
}

void fake_refuse(const char *word) { fake.refused = word; }

bool fake_refused(davit_error_t *err, text_t word) {
  if (fake.refused == NULL || !text_is(word, fake.refused)) return false;
  CONFLICT(err, "the host refuses ", word);
  return true;
}

// ---- Outcomes ---------------------------------------------------------------------------------------------------------

static const text_t *message(const davit_error_t *err) {
  return err->tag == DAVIT_ERROR_UNAVAILABLE ? &err->val.unavailable.message : &err->val.other;
}

static void given_back(const char *file, int line) {
  if (fake_open() == 0) return;
  fprintf(stderr, "%s:%d: %d handles were not given back\n", file, line, fake_open());
  exit(1);
}

void fake_went_well(const char *file, int line, bool ok, davit_error_t *err, const char *lines) {
  if (!ok) {
    fprintf(stderr, "%s:%d: failed: %.*s\n", file, line, (int)message(err)->len, (const char *)message(err)->ptr);
    exit(1);
  }
  if (strcmp(fake.lines, lines) != 0) {
    fprintf(stderr, "%s:%d: recorded:\n%sand not:\n%s", file, line, fake.lines, lines);
    exit(1);
  }
  given_back(file, line);
  fake_reset();
}

void fake_failed(const char *file, int line, bool ok, davit_error_t *err, uint8_t why, const char *wanted) {
  if (ok) fake_wrong(file, line, "it fails");
  if (err->tag != why || !text_is(*message(err), wanted)) {
    fprintf(stderr, "%s:%d: error %d, %.*s\nand not %d, %s\n", file, line, err->tag, (int)message(err)->len,
            (const char *)message(err)->ptr, why, wanted);
    exit(1);
  }
  free(message(err)->ptr);
  given_back(file, line);
  fake_reset();
}
