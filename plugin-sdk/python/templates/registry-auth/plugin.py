"""
How this site logs in to registries: with the credential that the caller sent, else anonymously; tokens are fetched
from the realm that the registry names (distribution token specification).

    [plugins.my-plugin.config]
    mirror = "https://mirror.example"    # asked first; absent: the registry itself
    digest = "required"                  # only what is pinned by a digest; absent: everything
"""

from __future__ import annotations

import re
from urllib.parse import quote

from componentize_py_types import Err
from davit import Denied, Invalid, Other, Unavailable, Unsupported, guarded, quoted, warn
from wit_world import exports
from wit_world.imports import config, host, http, secrets, types

# The token specification's default, which registries rely on.
DEFAULT_SECONDS = 60
# A token is asked for anew this long before it ends, so that it does not end on its way.
MARGIN = 5
CLIENT = "davit"

U32 = 2**32 - 1
U64 = 2**64 - 1


def whole(text: str | None, largest: int) -> int | None:
    """A whole number that a host's integer can hold; none for every other text."""
    if text is None or not re.fullmatch(r"\+?[0-9]{1,100}", text) or int(text) > largest:
        return None
    return int(text)


def basic(challenge: host.Challenge, answer: host.Answer) -> None:
    credential = challenge.offered()
    if credential is None:
        registry = challenge.registry()
        raise Denied(f"{registry} wants a login, and there is no credential for it; run: davit login {registry}")
    refuse_second_try(challenge)
    answer.basic(credential)


def refuse_second_try(challenge: host.Challenge) -> None:
    """The same credential would be refused again."""
    if challenge.attempt() > 2:
        raise Denied(f"{challenge.registry()} refused the credential")


def scope_of(challenge: host.Challenge) -> str | None:
    """`repository:NAME:ACTIONS`, as the registry asked for it or as we need it."""
    asked = challenge.param("scope")
    if asked is not None:
        return asked
    actions = ",".join(challenge.actions())
    repository = challenge.repository()
    return None if repository is None else f"repository:{repository}:{actions}"


def ask_by_get(challenge: host.Challenge, realm: str, credential: secrets.Credential | None) -> http.Response:
    scope = scope_of(challenge)
    query = [
        ("service", challenge.param("service")),
        *(("scope", one) for one in (scope.split(" ") if scope is not None else [])),
        ("account", None if credential is None else credential.user()),
        ("client_id", CLIENT),
    ]
    said = "&".join(f"{key}={quote(value, safe='')}" for key, value in query if value is not None)
    request = http.Request("GET", f"{realm}{'&' if '?' in realm else '?'}{said}")
    if credential is not None:
        request.basic(credential)
    return request.send()


def ask_by_refresh(challenge: host.Challenge, realm: str, credential: secrets.Credential) -> http.Response:
    request = http.Request("POST", realm)
    request.form("grant_type", "refresh_token")
    request.form("client_id", CLIENT)
    service = challenge.param("service")
    if service is not None:
        request.form("service", service)
    scope = scope_of(challenge)
    if scope is not None:
        request.form("scope", scope)
    request.form_credential("refresh_token", credential)
    return request.send()


def check_status(response: http.Response, realm: str) -> None:
    status = response.status()
    if 200 <= status <= 299:
        return
    if status in (401, 403):
        raise Denied(f"the token server {realm} refused the credential")
    if status == 429 or 500 <= status <= 599:
        seconds = whole(response.header("retry-after"), U64 // 1000)
        raise Unavailable(f"the token server {realm} answered {status}", (1 if seconds is None else seconds) * 1000)
    raise Other(f"the token server {realm} answered {status}")


def seconds_of(response: http.Response) -> int:
    said = whole(response.json("/expires_in"), U32)
    return max((DEFAULT_SECONDS if said is None else said) - MARGIN, 0)


def token_of(response: http.Response) -> secrets.Secret:
    try:
        return response.take_secret("/token")
    except Err as error:
        if not isinstance(error.value, types.Error_NotFound):
            raise
    return response.take_secret("/access_token")


def bearer(challenge: host.Challenge, answer: host.Answer) -> None:
    credential = challenge.offered()
    kind = None if credential is None else credential.kind()
    if kind == "registry-token":
        refuse_second_try(challenge)
        answer.bearer_credential(credential, 0)
        return
    realm = challenge.param("realm")
    if realm is None:
        raise Invalid(f"{challenge.registry()} asks for a token and names no realm")
    if challenge.attempt() > 3:
        actions = " and ".join(challenge.actions())
        raise Denied(f"{challenge.registry()} refuses the tokens of {realm}: the account may lack {actions}")
    ask = ask_by_refresh if kind == "identity-token" else ask_by_get
    response = ask(challenge, realm, credential)
    check_status(response, realm)
    answer.bearer(token_of(response), seconds_of(response))


@guarded
class Authenticator(exports.Authenticator):
    def authenticate(self, challenge: host.Challenge, answer: host.Answer) -> None:
        scheme = challenge.scheme()
        match scheme:
            case "none":
                # Nothing is sent before it is asked for.
                answer.anonymous()
            case "basic":
                basic(challenge, answer)
            case "bearer":
                bearer(challenge, answer)
            case _:
                warn(f"{challenge.registry()} asks for {scheme}")
                raise Unsupported(f"the authentication scheme {quoted(scheme)}")


@guarded
class Resolver(exports.Resolver):
    def resolve(self, registry: str, repository: str, endpoints: host.Endpoints) -> None:
        origin = config.get("mirror")
        if origin is not None:
            endpoints.add(origin, "")


@guarded
class Verifier(exports.Verifier):
    def verify(self, manifest: host.ManifestView) -> None:
        reference = manifest.reference()
        if config.get("digest") == "required" and "@sha256:" not in reference:
            raise Denied(f"{reference} is not pinned by a digest; it is {manifest.digest()} now")
