// What this site wants to happen around a container's life.
//
//     [plugins.my-plugin.config]
//     team = "web"                     # a label for every container that has none of that name
//     refuse = ["docker.io/"]          # images that begin with one of these are neither pulled nor run
//     privileged = "never"             # absent: privileged containers start

#include "lifecycle.h"

static text_t kind_of(operation_t operation) {
  text_t kind = {0};
  lifecycle_method_operation_kind(operation, &kind);
  return kind;
}

bool mutate(operation_t operation, adjustment_t adjustment, davit_error_t *err) {
  OPTION team = {0};
  if (!config_get(T("team"), &team, err)) return false;
  TEXT kind = kind_of(operation);
  TEXT label = {0};
  if (!team.is_some || !text_is(kind, "container.create") ||
      SOME(label, lifecycle_method_operation_field(operation, T("/labels/team"), &label))) {
    return true;
  }
  TEXT json = json_string(team.val);
  return lifecycle_method_adjustment_set(adjustment, T("/labels/team"), &json, err);
}

bool admit(operation_t operation, davit_error_t *err) {
  TEXT kind = kind_of(operation);
  if (!text_is(kind, "image.pull") && !text_is(kind, "container.create")) return true;
  TEXT image = {0};
  OPTION list = {0};
  bool has_image = SOME(image, lifecycle_method_operation_image(operation, &image));
  if (!config_get(T("refuse"), &list, err)) return false;
  if (!has_image || !list.is_some) return true;
  AUTO(plugin_list_string_free) texts_t refused = {0};
  if (!json_strings(list.val, &refused)) return INVALID(err, "refuse is a list of texts");
  for (size_t i = 0; i < refused.len; i++) {
    text_t start = refused.ptr[i];
    if (text_begins(image, start)) {
      return DENIED(err, "image ", image, " is refused: images that begin with ", start, " are");
    }
  }
  return true;
}

bool before_start(operation_t operation, davit_error_t *err) {
  if (!lifecycle_method_operation_privileged(operation)) return true;
  OPTION said = {0};
  if (!config_get(T("privileged"), &said, err)) return false;
  if (!said.is_some || !text_is(said.val, "never")) return true;
  return DENIED(err, "privileged containers are not started here");
}

bool after_exit(operation_t operation, int32_t status, davit_error_t *err) {
  (void)operation, (void)err;
  // The sign apart: the smallest number has no positive of its own.
  TEXT number = digits(status < 0 ? -(int64_t)status : status);
  LOG(INFO, "a container ended with ", status < 0 ? "-" : "", number);
  return true;
}

bool observe(event_t event, davit_error_t *err) {
  (void)err;
  TEXT kind = {0}, actor = {0};
  lifecycle_method_event_kind(event, &kind);
  lifecycle_method_event_actor(event, &actor);
  LOG(INFO, kind, " ", actor);
  return true;
}
