// How challenges are answered, over a small engine with a token server.

#include "fake.h"
#include "registry_auth.h"

#include <stdio.h>
#include <stdlib.h>

// ---- The host's functions of wit/registry-auth and wit/host ------------------------------------------------------------

// A credential is its kind; a user has it where it is a password.
typedef struct {
  const char *scheme, *realm, *service, *scope, *repository, *credential;
  uint32_t attempt;
} asked;

// What the token server answers.
static struct {
  uint16_t status;
  const char *retry_after, *expires_in, *token;
} server;

static const asked *asked_of(challenge_t challenge) { return fake_object(challenge.__handle); }
static const char *text_of(int32_t handle) { return fake_object(handle); }

void registry_auth_method_challenge_registry(challenge_t self, text_t *ret) {
  asked_of(self);
  fake_give("r.example", ret);
}
void registry_auth_method_challenge_scheme(challenge_t self, text_t *ret) { fake_give(asked_of(self)->scheme, ret); }
bool registry_auth_method_challenge_param(challenge_t self, text_t *key, text_t *ret) {
  const asked *what = asked_of(self);
  return fake_give(text_is(*key, "realm")     ? what->realm
                   : text_is(*key, "service") ? what->service
                   : text_is(*key, "scope")   ? what->scope
                                              : NULL,
                   ret);
}
bool registry_auth_method_challenge_repository(challenge_t self, text_t *ret) {
  return fake_give(asked_of(self)->repository, ret);
}
void registry_auth_method_challenge_actions(challenge_t self, plugin_list_string_t *ret) {
  asked_of(self);
  *ret = (plugin_list_string_t){.ptr = calloc(2, sizeof(text_t)), .len = 2};
  fake_give("pull", &ret->ptr[0]);
  fake_give("push", &ret->ptr[1]);
}
bool registry_auth_method_challenge_offered(challenge_t self, credential_own *ret) {
  const char *kind = asked_of(self)->credential;
  ret->__handle = kind != NULL ? fake_lend(kind) : 0xa5;
  return kind != NULL;
}
uint32_t registry_auth_method_challenge_attempt(challenge_t self) { return asked_of(self)->attempt; }

bool secrets_method_credential_user(credential_t self, text_t *ret) {
  return text_is(text(text_of(self.__handle)), "password") && fake_give("some one", ret);
}
void secrets_method_credential_kind(credential_t self, text_t *ret) { fake_give(text_of(self.__handle), ret); }

void registry_auth_method_answer_anonymous(answer_t self) {
  fake_object(self.__handle);
  RECORD("anonymous");
}
bool registry_auth_method_answer_basic(answer_t self, credential_t credential, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "basic", text_of(credential.__handle));
}
bool registry_auth_method_answer_bearer(answer_t self, secret_t token, uint32_t seconds, davit_error_t *err) {
  fake_object(self.__handle);
  TEXT number = digits(seconds);
  return FAKE_RECORDED(err, "bearer", text_of(token.__handle), number);
}
bool registry_auth_method_answer_bearer_credential(answer_t self, credential_t credential, uint32_t seconds,
                                                   davit_error_t *err) {
  fake_object(self.__handle);
  TEXT number = digits(seconds);
  return FAKE_RECORDED(err, "bearer-credential", text_of(credential.__handle), number);
}
bool registry_auth_method_endpoints_add(endpoints_t self, text_t *origin, text_t *prefix, davit_error_t *err) {
  fake_object(self.__handle);
  CHECK(prefix->len == 0);
  return FAKE_RECORDED(err, "add", *origin);
}
void registry_auth_method_manifest_view_reference(manifest_view_t self, text_t *ret) {
  fake_give(text_of(self.__handle), ret);
}
void registry_auth_method_manifest_view_digest(manifest_view_t self, text_t *ret) {
  fake_object(self.__handle);
  fake_give("sha256:1", ret);
}

http_own_request_t http_constructor_request(text_t *method, text_t *url) {
  RECORD(*method, *url);
  return (http_own_request_t){fake_lend("request")};
}
bool http_method_request_basic(request_t self, credential_t credential, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "with-basic", text_of(credential.__handle));
}
bool http_method_request_form(request_t self, text_t *field, text_t *value, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "form", *field, *value);
}
bool http_method_request_form_credential(request_t self, text_t *field, credential_t credential, davit_error_t *err) {
  fake_object(self.__handle);
  return FAKE_RECORDED(err, "form-credential", *field, text_of(credential.__handle));
}
bool http_method_request_send(request_t self, response_own *ret, davit_error_t *err) {
  fake_object(self.__handle);
  if (fake_refused(err, text("send"))) return false;
  ret->__handle = fake_lend("response");
  return true;
}
uint16_t http_method_response_status(response_t self) { return fake_object(self.__handle) != NULL ? server.status : 0; }
bool http_method_response_header(response_t self, text_t *name, text_t *ret) {
  fake_object(self.__handle);
  CHECK(text_is(*name, "retry-after"));
  return fake_give(server.retry_after, ret);
}
bool http_method_response_json(response_t self, text_t *pointer, plugin_option_string_t *ret, davit_error_t *err) {
  (void)err;
  fake_object(self.__handle);
  CHECK(text_is(*pointer, "/expires_in"));
  ret->is_some = fake_give(server.expires_in, &ret->val);
  return true;
}
bool http_method_response_take_secret(response_t self, text_t *pointer, secret_own *ret, davit_error_t *err) {
  fake_object(self.__handle);
  if (!text_is(*pointer, server.token)) return NOT_FOUND(err, "nothing at ", *pointer);
  ret->__handle = fake_lend(server.token);
  return true;
}

// As bindings/plugin.c has it, for errors that are a text.
void davit_error_free(davit_error_t *err) { plugin_string_free(&err->val.other); }

#define HANDLE_FUNCTIONS(interface, name)                                                                               \
  name##_t interface##_borrow_##name(name##_own own) { return (name##_t){own.__handle}; }                               \
  void interface##_##name##_drop_own(name##_own own) { fake_back(own.__handle); }
HANDLE_FUNCTIONS(registry_auth, challenge)
HANDLE_FUNCTIONS(registry_auth, answer)
HANDLE_FUNCTIONS(registry_auth, endpoints)
HANDLE_FUNCTIONS(registry_auth, manifest_view)
HANDLE_FUNCTIONS(secrets, credential)
HANDLE_FUNCTIONS(secrets, secret)
HANDLE_FUNCTIONS(http, request)
HANDLE_FUNCTIONS(http, response)

// ---- Calls as the host makes them --------------------------------------------------------------------------------------

static davit_error_t error;

static bool answered(asked what) {
  return exports_authenticator_authenticate((challenge_own){fake_lend(&what)}, (answer_own){fake_lend("answer")},
                                            &error);
}

static void nothing_is_sent_before_it_is_asked_for(void) {
  WENT_WELL(answered((asked){.scheme = "none", .credential = "password"}), &error, "anonymous\n");
}

static void basic_is_the_callers_credential_once(void) {
  WENT_WELL(answered((asked){.scheme = "basic", .credential = "password", .attempt = 2}), &error, "basic password\n");
  FAILED(answered((asked){.scheme = "basic", .credential = "password", .attempt = 3}), &error, DAVIT_ERROR_DENIED,
         "r.example refused the credential");
  FAILED(answered((asked){.scheme = "basic"}), &error, DAVIT_ERROR_DENIED,
         "r.example wants a login, and there is no credential for it; run: davit login r.example");
  FAILED(answered((asked){.scheme = "nego\"tiate"}), &error, DAVIT_ERROR_UNSUPPORTED,
         "the authentication scheme \"nego\\\"tiate\"");
}

static void a_token_is_fetched_from_the_realm(void) {
  server.status = 200, server.token = "/token", server.expires_in = "300";
  WENT_WELL(answered((asked){.scheme = "bearer", .realm = "https://a/t", .service = "r e", .scope = "s1 s2", .credential = "password"}),
            &error,
            "GET https://a/t?service=r%20e&scope=s1&scope=s2&account=some%20one&client_id=davit\nwith-basic password\n"
            "bearer /token 295\n");
  server.token = "/access_token", server.expires_in = NULL;
  WENT_WELL(answered((asked){.scheme = "bearer", .realm = "https://a/t?x", .repository = "team/a"}), &error,
            "GET https://a/t?x&scope=repository%3Ateam%2Fa%3Apull%2Cpush&client_id=davit\nbearer /access_token 55\n");
  server.expires_in = "3";
  WENT_WELL(answered((asked){.scheme = "bearer", .realm = "https://a/t", .service = "s", .credential = "identity-token"}), &error,
            "POST https://a/t\nform grant_type refresh_token\nform client_id davit\nform service s\n"
            "form-credential refresh_token identity-token\nbearer /access_token 0\n");
  WENT_WELL(answered((asked){.scheme = "bearer", .credential = "registry-token"}), &error,
            "bearer-credential registry-token 0\n");
  server.token = "/other";
  FAILED(answered((asked){.scheme = "bearer", .realm = "https://a/t"}), &error, DAVIT_ERROR_NOT_FOUND,
         "nothing at /access_token");
}

static void what_the_token_server_refuses_is_said(void) {
  asked what = {.scheme = "bearer", .realm = "https://a/t"};
  server.status = 403;
  FAILED(answered(what), &error, DAVIT_ERROR_DENIED, "the token server https://a/t refused the credential");
  server.status = 404;
  FAILED(answered(what), &error, DAVIT_ERROR_OTHER, "the token server https://a/t answered 404");
  server.status = 503, server.retry_after = "7";
  FAILED(answered(what), &error, DAVIT_ERROR_UNAVAILABLE, "the token server https://a/t answered 503");
  CHECK(error.val.unavailable.retry_ms == 7000);
  server.retry_after = NULL;
  FAILED(answered(what), &error, DAVIT_ERROR_UNAVAILABLE, "the token server https://a/t answered 503");
  CHECK(error.val.unavailable.retry_ms == 1000);
  fake_refuse("send");
  FAILED(answered(what), &error, DAVIT_ERROR_CONFLICT, "the host refuses send");
  what.attempt = 4;
  FAILED(answered(what), &error, DAVIT_ERROR_DENIED,
         "r.example refuses the tokens of https://a/t: the account may lack pull and push");
  FAILED(answered((asked){.scheme = "bearer"}), &error, DAVIT_ERROR_INVALID,
         "r.example asks for a token and names no realm");
}

static bool resolved(void) {
  text_t registry = JOIN("r.example"), repository = JOIN("team/a");
  return exports_resolver_resolve(&registry, &repository, (endpoints_own){fake_lend("endpoints")}, &error);
}

static bool verified(const char *reference) {
  return exports_verifier_verify((manifest_view_own){fake_lend(reference)}, &error);
}

static void mirrors_and_digests_are_the_sites_words(void) {
  WENT_WELL(resolved(), &error, "");
  fake_config("mirror", "https://mirror.example");
  WENT_WELL(resolved(), &error, "add https://mirror.example\n");
  WENT_WELL(verified("r.example/a:1"), &error, "");
  fake_config("digest", "required");
  WENT_WELL(verified("r.example/a@sha256:1"), &error, "");
  fake_config("digest", "required");
  FAILED(verified("r.example/a:1"), &error, DAVIT_ERROR_DENIED,
         "r.example/a:1 is not pinned by a digest; it is sha256:1 now");
}

int main(void) {
  nothing_is_sent_before_it_is_asked_for();
  basic_is_the_callers_credential_once();
  a_token_is_fetched_from_the_realm();
  what_the_token_server_refuses_is_said();
  mirrors_and_digests_are_the_sites_words();
  puts("5 tests passed");
  return 0;
}
