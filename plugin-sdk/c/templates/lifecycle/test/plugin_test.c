// The policy's decisions, over a small engine.

#include "fake.h"
#include "lifecycle.h"

#include <stdio.h>

// ---- The host's functions of wit/lifecycle -----------------------------------------------------------------------------

typedef struct {
  const char *kind, *image, *team;
  bool privileged;
} asked;

static const asked *asked_of(operation_t operation) { return fake_object(operation.__handle); }

void lifecycle_method_operation_kind(operation_t self, text_t *ret) { fake_give(asked_of(self)->kind, ret); }
bool lifecycle_method_operation_image(operation_t self, text_t *ret) { return fake_give(asked_of(self)->image, ret); }
bool lifecycle_method_operation_privileged(operation_t self) { return asked_of(self)->privileged; }
bool lifecycle_method_operation_field(operation_t self, text_t *path, text_t *ret) {
  CHECK(text_is(*path, "/labels/team"));
  return fake_give(asked_of(self)->team, ret);
}
bool lifecycle_method_adjustment_set(adjustment_t self, text_t *path, text_t *json, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "set", *path, *json);
}
void lifecycle_method_event_kind(event_t self, text_t *ret) { fake_give(fake_object(self.__handle), ret); }
void lifecycle_method_event_actor(event_t self, text_t *ret) {
  fake_object(self.__handle);
  fake_give("c1", ret);
}

#define HANDLE_FUNCTIONS(name)                                                                                          \
  name##_t lifecycle_borrow_##name(name##_own own) { return (name##_t){own.__handle}; }                                 \
  void lifecycle_##name##_drop_own(name##_own own) { fake_back(own.__handle); }
HANDLE_FUNCTIONS(operation)
HANDLE_FUNCTIONS(adjustment)
HANDLE_FUNCTIONS(event)

// ---- Calls as the host makes them --------------------------------------------------------------------------------------

static davit_error_t error;

static operation_own operation(const asked *what) { return (operation_own){fake_lend(what)}; }
static bool mutated(asked what) {
  return exports_mutate_mutate(operation(&what), (adjustment_own){fake_lend("adjustment")}, &error);
}
static bool admitted(asked what) { return exports_admit_admit(operation(&what), &error); }
static bool started(asked what) { return exports_before_start_before_start(operation(&what), &error); }

static void a_container_without_a_team_gets_the_sites(void) {
  fake_config("team", "we\"b\x01");
  WENT_WELL(mutated((asked){.kind = "container.create"}), &error, "set /labels/team \"we\\\"b\\u0001\"\n");
  fake_config("team", "web");
  WENT_WELL(mutated((asked){.kind = "container.create", .team = "\"own\""}), &error, "");
  fake_config("team", "web");
  WENT_WELL(mutated((asked){.kind = "exec.create"}), &error, "");
  WENT_WELL(mutated((asked){.kind = "container.create"}), &error, "");
  fake_config("team", "web");
  fake_refuse("set");
  FAILED(mutated((asked){.kind = "container.create"}), &error, DAVIT_ERROR_CONFLICT, "the host refuses set");
}

static void images_that_the_site_refuses_are_neither_pulled_nor_run(void) {
  const char *refuse = " [ \"quay.io\\/\" , \"docker\\u002eio/\\ud83d\\ude00\\t\" ] ";
  fake_config("refuse", refuse);
  FAILED(admitted((asked){.kind = "image.pull", .image = "quay.io/a"}), &error, DAVIT_ERROR_DENIED,
         "image quay.io/a is refused: images that begin with quay.io/ are");
  fake_config("refuse", refuse);
  FAILED(admitted((asked){.kind = "container.create", .image = "docker.io/\xf0\x9f\x98\x80\ta"}), &error,
         DAVIT_ERROR_DENIED,
         "image docker.io/\xf0\x9f\x98\x80\ta is refused: images that begin with docker.io/\xf0\x9f\x98\x80\t are");
  static const asked permitted[] = {{.kind = "image.pull", .image = "ghcr.io/a"}, {.kind = "image.pull"},
                                    {.kind = "image.remove", .image = "quay.io/a"}};
  for (int i = 0; i < 3; i++) {
    fake_config("refuse", refuse);
    WENT_WELL(admitted(permitted[i]), &error, "");
  }
  fake_config("refuse", "[]");
  WENT_WELL(admitted((asked){.kind = "image.pull", .image = "quay.io/a"}), &error, "");
}

static void a_setting_that_is_no_list_of_texts_is_said(void) {
  static const char *const bad[] = {"docker.io/", "null", "[1]", "[\"a\", null]", "[\"a\",]", "[\"a\"] x", "[\"\\ud83d\"]", ""};
  for (int i = 0; i < 8; i++) {
    fake_config("refuse", bad[i]);
    FAILED(admitted((asked){.kind = "image.pull", .image = "a"}), &error, DAVIT_ERROR_INVALID,
           "refuse is a list of texts");
  }
}

static void privileged_containers_start_unless_the_site_says_never(void) {
  WENT_WELL(started((asked){.privileged = true}), &error, "");
  fake_config("privileged", "never");
  WENT_WELL(started((asked){0}), &error, "");
  fake_config("privileged", "never");
  FAILED(started((asked){.privileged = true}), &error, DAVIT_ERROR_DENIED,
         "privileged containers are not started here");
}

static void ends_and_events_are_logged(void) {
  asked what = {.kind = "container.exit"};
  WENT_WELL(exports_after_exit_after_exit(operation(&what), 137, &error), &error, "log a container ended with 137\n");
  WENT_WELL(exports_after_exit_after_exit(operation(&what), INT32_MIN, &error), &error,
            "log a container ended with -2147483648\n");
  WENT_WELL(exports_observe_observe((event_own){fake_lend("container.die")}, &error), &error,
            "log container.die c1\n");
}

int main(void) {
  a_container_without_a_team_gets_the_sites();
  images_that_the_site_refuses_are_neither_pulled_nor_run();
  a_setting_that_is_no_list_of_texts_is_said();
  privileged_containers_start_unless_the_site_says_never();
  ends_and_events_are_logged();
  puts("5 tests passed");
  return 0;
}
