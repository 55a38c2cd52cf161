// The functions of registry authentication, which plugin.c holds. What they mean: wit/registry-auth/registry-auth.wit.
#ifndef REGISTRY_AUTH_H
#define REGISTRY_AUTH_H

#include "davit.h"

RESOURCE(registry_auth, challenge)
RESOURCE(registry_auth, answer)
RESOURCE(registry_auth, endpoints)
RESOURCE(registry_auth, manifest_view)
RESOURCE(secrets, credential)
RESOURCE(secrets, secret)
RESOURCE(http, request)
RESOURCE(http, response)

bool authenticate(challenge_t challenge, answer_t answer, davit_error_t *err);
bool resolve(text_t registry, text_t repository, endpoints_t endpoints, davit_error_t *err);
bool verify(manifest_view_t manifest, davit_error_t *err);

#endif
