// Texts and errors. See davit.h.

#include "davit.h"

#include <stdlib.h>
#include <string.h>

text_t text(const char *from) { return (text_t){.ptr = (uint8_t *)from, .len = strlen(from)}; }

text_t join(size_t count, const text_t *parts) {
  text_t whole = {0};
  size_t len = 0;
  for (size_t i = 0; i < count; i++) len += parts[i].len;
  if (len == 0 || (whole.ptr = malloc(len)) == NULL) return whole;
  for (size_t i = 0; i < count; i++) {
    if (parts[i].len > 0) memcpy(whole.ptr + whole.len, parts[i].ptr, parts[i].len);
    whole.len += parts[i].len;
  }
  return whole;
}

bool text_begins(text_t a, text_t with) { return a.len >= with.len && (with.len == 0 || memcmp(a.ptr, with.ptr, with.len) == 0); }

bool text_is(text_t a, const char *b) { return a.len == strlen(b) && text_begins(a, text(b)); }

bool text_holds(text_t a, const char *part) {
  text_t wanted = text(part);
  for (; a.len >= wanted.len; a.ptr++, a.len--) {
    if (text_begins(a, wanted)) return true;
    if (a.len == 0) break;
  }
  return false;
}

static bool number_up_to(text_t digits, uint64_t most, uint64_t *number) {
  size_t i = digits.len > 1 && digits.ptr[0] == '+';
  if (i == digits.len) return false;
  uint64_t value = 0;
  for (; i < digits.len; i++) {
    uint8_t digit = digits.ptr[i] - '0';
    if (digit > 9 || value > (most - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *number = value;
  return true;
}

bool text_u64(text_t digits, uint64_t *number) { return number_up_to(digits, UINT64_MAX, number); }

bool text_u32(text_t digits, uint32_t *number) {
  uint64_t value;
  if (!number_up_to(digits, UINT32_MAX, &value)) return false;
  *number = (uint32_t)value;
  return true;
}

text_t digits(uint64_t number) {
  char backwards[20];
  size_t at = sizeof backwards;
  do backwards[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  return join(1, &(text_t){.ptr = (uint8_t *)backwards + at, .len = sizeof backwards - at});
}

// A text that grows within memory that was made large enough for it.
typedef struct {
  text_t text;
} growing_t;

static void put(growing_t *to, const char *from) {
  while (*from != '\0') to->text.ptr[to->text.len++] = (uint8_t)*from++;
}

static void put_hex(growing_t *to, uint32_t number, int least) {
  int shift = 28;
  while (shift > 0 && number >> shift == 0 && shift / 4 >= least) shift -= 4;
  for (; shift >= 0; shift -= 4) to->text.ptr[to->text.len++] = (uint8_t)"0123456789abcdef"[number >> shift & 15];
}

// No character takes more than six bytes for each of its own when it is escaped, and there are two quotes.
static bool make_room(growing_t *to, text_t from) {
  to->text = (text_t){.ptr = malloc(6 * from.len + 2)};
  return to->text.ptr != NULL;
}

text_t quoted(text_t from) {
  growing_t to;
  if (!make_room(&to, from)) return to.text;
  put(&to, "\"");
  for (size_t i = 0; i < from.len; i++) {
    uint8_t byte = from.ptr[i];
    // U+0080 to U+009F are control characters as well.
    bool high = byte == 0xc2 && i + 1 < from.len && from.ptr[i + 1] < 0xa0;
    if (byte == '"') put(&to, "\\\"");
    else if (byte == '\\') put(&to, "\\\\");
    else if (byte == '\n') put(&to, "\\n");
    else if (byte == '\r') put(&to, "\\r");
    else if (byte == '\t') put(&to, "\\t");
    else if (byte == 0) put(&to, "\\0");
    else if (byte < 0x20 || byte == 0x7f || high) {
      put(&to, "\\u{");
      put_hex(&to, high ? from.ptr[++i] : byte, 1);
      put(&to, "}");
    } else to.text.ptr[to.text.len++] = byte;
  }
  put(&to, "\"");
  return to.text;
}

text_t json_string(text_t from) {
  growing_t to;
  if (!make_room(&to, from)) return to.text;
  put(&to, "\"");
  for (size_t i = 0; i < from.len; i++) {
    uint8_t byte = from.ptr[i];
    if (byte == '"') put(&to, "\\\"");
    else if (byte == '\\') put(&to, "\\\\");
    else if (byte == '\b') put(&to, "\\b");
    else if (byte == '\f') put(&to, "\\f");
    else if (byte == '\n') put(&to, "\\n");
    else if (byte == '\r') put(&to, "\\r");
    else if (byte == '\t') put(&to, "\\t");
    else if (byte < 0x20) {
      put(&to, "\\u");
      put_hex(&to, byte, 4);
    } else to.text.ptr[to.text.len++] = byte;
  }
  put(&to, "\"");
  return to.text;
}

// ---- Reading JSON (RFC 8259): as much as a list of strings needs ------------------------------------------------------

static void skip_space(text_t *json) {
  while (json->len > 0 && strchr(" \t\r\n", json->ptr[0]) != NULL && json->ptr[0] != 0) json->ptr++, json->len--;
}

static bool take(text_t *json, char byte) {
  if (json->len == 0 || json->ptr[0] != (uint8_t)byte) return false;
  json->ptr++, json->len--;
  return true;
}

static bool take_hex(text_t *json, uint32_t *number) {
  if (json->len < 4) return false;
  *number = 0;
  for (int i = 0; i < 4; i++, json->ptr++, json->len--) {
    uint8_t byte = json->ptr[0];
    uint32_t digit = byte - '0';
    if (digit > 9) digit = (byte | 0x20u) - 'a' + 10u;
    if (digit > 15 || (digit > 9 && (byte | 0x20) < 'a')) return false;
    *number = *number << 4 | digit;
  }
  return true;
}

static void put_utf8(growing_t *to, uint32_t point) {
  uint8_t *at = to->text.ptr + to->text.len;
  if (point < 0x80) to->text.len += 1, at[0] = (uint8_t)point;
  else if (point < 0x800) to->text.len += 2, at[0] = (uint8_t)(0xc0 | point >> 6);
  else if (point < 0x10000) to->text.len += 3, at[0] = (uint8_t)(0xe0 | point >> 12), at[1] = (uint8_t)(0x80 | (point >> 6 & 63));
  else to->text.len += 4, at[0] = (uint8_t)(0xf0 | point >> 18), at[1] = (uint8_t)(0x80 | (point >> 12 & 63)), at[2] = (uint8_t)(0x80 | (point >> 6 & 63));
  if (point >= 0x80) to->text.ptr[to->text.len - 1] = (uint8_t)(0x80 | (point & 63));
}

static bool take_escape(text_t *json, growing_t *to) {
  static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (json->len == 0) return false;
  uint8_t byte = json->ptr[0];
  json->ptr++, json->len--;
  const char *known = byte == 0 ? NULL : strchr(names, byte);
  if (known != NULL) return put_utf8(to, (uint8_t)meant[known - names]), true;
  uint32_t point, low;
  if (byte != 'u' || !take_hex(json, &point)) return false;
  if (point >= 0xd800 && point < 0xdc00) {
    if (!take(json, '\\') || !take(json, 'u') || !take_hex(json, &low) || low < 0xdc00 || low > 0xdfff) return false;
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  } else if (point >= 0xdc00 && point < 0xe000) return false;
  put_utf8(to, point);
  return true;
}

// What is unescaped is no longer than what it was written as.
static bool take_string(text_t *json, text_t *string) {
  growing_t to = {.text = {.ptr = malloc(json->len)}};
  bool open = to.text.ptr != NULL && take(json, '"');
  while (open && json->len > 0) {
    if (take(json, '"')) {
      if (to.text.len == 0) free(to.text.ptr), to.text.ptr = NULL;
      *string = to.text;
      return true;
    }
    if (take(json, '\\')) open = take_escape(json, &to);
    else if ((open = json->ptr[0] >= 0x20)) to.text.ptr[to.text.len++] = json->ptr[0], json->ptr++, json->len--;
  }
  free(to.text.ptr);
  return false;
}

bool json_strings(text_t json, texts_t *list) {
  size_t most = 1;
  for (size_t i = 0; i < json.len; i++) most += json.ptr[i] == ',';
  *list = (texts_t){.ptr = calloc(most, sizeof(text_t))};
  skip_space(&json);
  bool good = list->ptr != NULL && take(&json, '[');
  skip_space(&json);
  if (good && !take(&json, ']')) {
    do {
      skip_space(&json);
      good = take_string(&json, &list->ptr[list->len]);
      list->len += good;
      skip_space(&json);
    } while (good && take(&json, ','));
    good = good && take(&json, ']');
  }
  skip_space(&json);
  if (good && json.len == 0) {
    if (list->len == 0) free(list->ptr), list->ptr = NULL;
    return true;
  }
  for (size_t i = 0; i < list->len; i++) plugin_string_free(&list->ptr[i]);
  free(list->ptr);
  *list = (texts_t){0};
  return false;
}

// ---- Errors -----------------------------------------------------------------------------------------------------------

bool fail(davit_error_t *err, uint8_t why, text_t message) {
  // Every case but `unavailable` is a text. An empty one is a text that there was no memory for.
  *err = (davit_error_t){.tag = message.len > 0 ? why : DAVIT_ERROR_INTERNAL, .val.other = message};
  return false;
}

bool unavailable(davit_error_t *err, uint64_t retry_ms, text_t message) {
  *err = (davit_error_t){.tag = DAVIT_ERROR_UNAVAILABLE, .val.unavailable = {.retry_ms = retry_ms, .message = message}};
  return false;
}
