// From the component's exports to the functions of registry_auth.h: what a call was given is given back when it ends.

#include "registry_auth.h"

bool exports_authenticator_authenticate(challenge_own given_challenge, answer_own given_answer, davit_error_t *err) {
  AUTO(challenge_done) challenge_own challenge = given_challenge;
  AUTO(answer_done) answer_own answer = given_answer;
  return authenticate(registry_auth_borrow_challenge(challenge), registry_auth_borrow_answer(answer), err);
}

bool exports_resolver_resolve(text_t *given_registry, text_t *given_repository, endpoints_own given_endpoints,
                              davit_error_t *err) {
  TEXT registry = *given_registry;
  TEXT repository = *given_repository;
  AUTO(endpoints_done) endpoints_own endpoints = given_endpoints;
  return resolve(registry, repository, registry_auth_borrow_endpoints(endpoints), err);
}

bool exports_verifier_verify(manifest_view_own given_manifest, davit_error_t *err) {
  AUTO(manifest_view_done) manifest_view_own manifest = given_manifest;
  return verify(registry_auth_borrow_manifest_view(manifest), err);
}
