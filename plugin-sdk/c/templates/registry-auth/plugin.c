// How this site logs in to registries: with the credential that the caller sent, else anonymously; tokens are fetched
// from the realm that the registry names (distribution token specification).
//
//     [plugins.my-plugin.config]
//     mirror = "https://mirror.example"    # asked first; absent: the registry itself
//     digest = "required"                  # only what is pinned by a digest; absent: everything

#include "registry_auth.h"

#include <stdlib.h>

// The token specification's default, which registries rely on.
enum { DEFAULT_SECONDS = 60 };
// A token is asked for anew this long before it ends, so that it does not end on its way.
enum { MARGIN = 5 };
#define CLIENT "davit"

static text_t registry_of(challenge_t challenge) {
  text_t registry = {0};
  registry_auth_method_challenge_registry(challenge, &registry);
  return registry;
}

static bool param(challenge_t challenge, const char *key, text_t *value) {
  text_t name = text(key);
  return SOME(*value, registry_auth_method_challenge_param(challenge, &name, value));
}

static bool is_of_kind(const credential_own *credential, const char *wanted) {
  if (credential->__handle == 0) return false;
  TEXT kind = {0};
  secrets_method_credential_kind(secrets_borrow_credential(*credential), &kind);
  return text_is(kind, wanted);
}

// Texts of a list with a word between them.
static text_t joined(texts_t list, const char *between) {
  text_t all = {0};
  for (size_t i = 0; i < list.len; i++) {
    TEXT before = all;
    all = JOIN(before, i > 0 ? between : "", list.ptr[i]);
  }
  return all;
}

static text_t actions(challenge_t challenge, const char *between) {
  AUTO(plugin_list_string_free) texts_t list = {0};
  registry_auth_method_challenge_actions(challenge, &list);
  return joined(list, between);
}

// The same credential would be refused again.
static bool refuse_second_try(challenge_t challenge, davit_error_t *err) {
  if (registry_auth_method_challenge_attempt(challenge) <= 2) return true;
  TEXT registry = registry_of(challenge);
  return DENIED(err, registry, " refused the credential");
}

static bool basic(challenge_t challenge, answer_t answer, davit_error_t *err) {
  AUTO(credential_done) credential_own credential = {0};
  if (!SOME(credential, registry_auth_method_challenge_offered(challenge, &credential))) {
    TEXT registry = registry_of(challenge);
    return DENIED(err, registry, " wants a login, and there is no credential for it; run: davit login ", registry);
  }
  return refuse_second_try(challenge, err) &&
         registry_auth_method_answer_basic(answer, secrets_borrow_credential(credential), err);
}

// `repository:NAME:ACTIONS`, as the registry asked for it or as we need it.
static bool scope_of(challenge_t challenge, text_t *scope) {
  if (param(challenge, "scope", scope)) return true;
  TEXT repository = {0};
  if (!SOME(repository, registry_auth_method_challenge_repository(challenge, &repository))) return false;
  TEXT list = actions(challenge, ",");
  *scope = JOIN("repository:", repository, ":", list);
  return true;
}

// Percent-encoding for a query (RFC 3986, everything but unreserved characters).
static text_t encoded(text_t from) {
  text_t to = {.ptr = malloc(3 * from.len + 1)};
  for (size_t i = 0; to.ptr != NULL && i < from.len; i++) {
    uint8_t byte = from.ptr[i], letter = byte | 0x20;
    if ((letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
        byte == '~') {
      to.ptr[to.len++] = byte;
    } else {
      to.ptr[to.len++] = '%';
      to.ptr[to.len++] = (uint8_t)"0123456789ABCDEF"[byte >> 4];
      to.ptr[to.len++] = (uint8_t)"0123456789ABCDEF"[byte & 15];
    }
  }
  if (to.len > 0) return to;
  free(to.ptr);
  return (text_t){0};
}

static void add(text_t *url, const char *key, text_t value) {
  TEXT before = *url;
  TEXT word = encoded(value);
  *url = JOIN(before, text_holds(before, "?") ? "&" : "?", key, "=", word);
}

static bool ask_by_get(challenge_t challenge, text_t realm, const credential_own *credential, response_own *response,
                       davit_error_t *err) {
  TEXT url = JOIN(realm);
  TEXT service = {0}, scope = {0}, user = {0};
  bool known = credential->__handle != 0;
  if (param(challenge, "service", &service)) add(&url, "service", service);
  if (scope_of(challenge, &scope)) {
    // One for each word between spaces.
    text_t word = {.ptr = scope.ptr};
    for (size_t i = 0; i <= scope.len; i++) {
      if (i < scope.len && scope.ptr[i] != ' ') {
        word.len++;
        continue;
      }
      add(&url, "scope", word);
      word = (text_t){.ptr = scope.ptr + i + 1};
    }
  }
  if (known && SOME(user, secrets_method_credential_user(secrets_borrow_credential(*credential), &user))) {
    add(&url, "account", user);
  }
  add(&url, "client_id", text(CLIENT));
  AUTO(request_done) request_own request = http_constructor_request(T("GET"), &url);
  request_t asked = http_borrow_request(request);
  return (!known || http_method_request_basic(asked, secrets_borrow_credential(*credential), err)) &&
         http_method_request_send(asked, response, err);
}

static bool ask_by_refresh(challenge_t challenge, text_t realm, const credential_own *credential, response_own *response,
                           davit_error_t *err) {
  AUTO(request_done) request_own request = http_constructor_request(T("POST"), &realm);
  request_t asked = http_borrow_request(request);
  TEXT service = {0}, scope = {0};
  return http_method_request_form(asked, T("grant_type"), T("refresh_token"), err) &&
         http_method_request_form(asked, T("client_id"), T(CLIENT), err) &&
         (!param(challenge, "service", &service) || http_method_request_form(asked, T("service"), &service, err)) &&
         (!scope_of(challenge, &scope) || http_method_request_form(asked, T("scope"), &scope, err)) &&
         http_method_request_form_credential(asked, T("refresh_token"), secrets_borrow_credential(*credential), err) &&
         http_method_request_send(asked, response, err);
}

static bool check_status(response_t response, text_t realm, davit_error_t *err) {
  uint16_t status = http_method_response_status(response);
  if (status >= 200 && status <= 299) return true;
  if (status == 401 || status == 403) return DENIED(err, "the token server ", realm, " refused the credential");
  TEXT number = digits(status);
  if (status != 429 && (status < 500 || status > 599)) return OTHER(err, "the token server ", realm, " answered ", number);
  TEXT said = {0};
  uint64_t seconds = 1;
  if (SOME(said, http_method_response_header(response, T("retry-after"), &said))) text_u64(said, &seconds);
  return UNAVAILABLE(err, seconds * 1000, "the token server ", realm, " answered ", number);
}

static bool seconds_of(response_t response, uint32_t *seconds, davit_error_t *err) {
  OPTION said = {0};
  if (!http_method_response_json(response, T("/expires_in"), &said, err)) return false;
  *seconds = DEFAULT_SECONDS;
  if (said.is_some) text_u32(said.val, seconds);
  *seconds -= *seconds < MARGIN ? *seconds : MARGIN;
  return true;
}

static bool take_token(response_t response, secret_own *token, davit_error_t *err) {
  if (http_method_response_take_secret(response, T("/token"), token, err)) return true;
  if (err->tag != DAVIT_ERROR_NOT_FOUND) return false;
  davit_error_free(err);
  return http_method_response_take_secret(response, T("/access_token"), token, err);
}

static bool bearer(challenge_t challenge, answer_t answer, davit_error_t *err) {
  AUTO(credential_done) credential_own credential = {0};
  // Without one the token is for everybody.
  (void)SOME(credential, registry_auth_method_challenge_offered(challenge, &credential));
  if (is_of_kind(&credential, "registry-token")) {
    return refuse_second_try(challenge, err) &&
           registry_auth_method_answer_bearer_credential(answer, secrets_borrow_credential(credential), 0, err);
  }
  TEXT registry = registry_of(challenge);
  TEXT realm = {0};
  if (!param(challenge, "realm", &realm)) return INVALID(err, registry, " asks for a token and names no realm");
  if (registry_auth_method_challenge_attempt(challenge) > 3) {
    TEXT list = actions(challenge, " and ");
    return DENIED(err, registry, " refuses the tokens of ", realm, ": the account may lack ", list);
  }
  AUTO(response_done) response_own response = {0};
  bool refresh = is_of_kind(&credential, "identity-token");
  if (!(refresh ? ask_by_refresh : ask_by_get)(challenge, realm, &credential, &response, err)) return false;
  response_t given = http_borrow_response(response);
  AUTO(secret_done) secret_own token = {0};
  uint32_t seconds;
  return check_status(given, realm, err) && take_token(given, &token, err) && seconds_of(given, &seconds, err) &&
         registry_auth_method_answer_bearer(answer, secrets_borrow_secret(token), seconds, err);
}

bool authenticate(challenge_t challenge, answer_t answer, davit_error_t *err) {
  TEXT scheme = {0};
  registry_auth_method_challenge_scheme(challenge, &scheme);
  if (text_is(scheme, "none")) {
    // Nothing is sent before it is asked for.
    registry_auth_method_answer_anonymous(answer);
    return true;
  }
  if (text_is(scheme, "basic")) return basic(challenge, answer, err);
  if (text_is(scheme, "bearer")) return bearer(challenge, answer, err);
  TEXT registry = registry_of(challenge);
  TEXT word = quoted(scheme);
  LOG(WARN, registry, " asks for ", scheme);
  return UNSUPPORTED(err, "the authentication scheme ", word);
}

bool resolve(text_t registry, text_t repository, endpoints_t endpoints, davit_error_t *err) {
  (void)registry, (void)repository;
  OPTION origin = {0};
  if (!config_get(T("mirror"), &origin, err)) return false;
  return !origin.is_some || registry_auth_method_endpoints_add(endpoints, &origin.val, T(""), err);
}

bool verify(manifest_view_t manifest, davit_error_t *err) {
  OPTION said = {0};
  TEXT reference = {0}, digest = {0};
  registry_auth_method_manifest_view_reference(manifest, &reference);
  if (!config_get(T("digest"), &said, err)) return false;
  if (!said.is_some || !text_is(said.val, "required") || text_holds(reference, "@sha256:")) return true;
  registry_auth_method_manifest_view_digest(manifest, &digest);
  return DENIED(err, reference, " is not pinned by a digest; it is ", digest, " now");
}
