import unittest

import fake_host
from fake_host import Fake, failing, refused, reset

from plugin import Authenticator, Resolver, Verifier
from wit_world.imports import types

REALM = "https://auth.example/token"


def challenge(params=None, **facts):
    said = {"realm": REALM, "service": "registry.example", **(params or {})}
    usual = {"registry": "registry.example", "repository": "team/app", "actions": ["pull", "push"], "attempt": 1}
    return Fake(**{"scheme": "bearer", **usual, **facts, "param": said.get})


class RegistryAuth(unittest.TestCase):
    def setUp(self) -> None:
        reset()
        self.password = Fake(kind="password", user="someone")
        self.token = Fake()

    def answered(self, **facts):
        answer = Fake()
        Authenticator().authenticate(challenge(**facts), answer)
        return answer.calls

    def respond(self, **facts) -> None:
        fake_host.responses.append(Fake(**{"status": 200, "take_secret": self.token, "json": "300", **facts}))

    def test_nothing_is_sent_before_it_is_asked_for(self) -> None:
        self.assertEqual(self.answered(scheme="none", offered=self.password), [("anonymous",)])

    def test_a_login_is_answered_with_the_credential_that_was_offered_once(self) -> None:
        self.assertEqual(self.answered(scheme="basic", offered=self.password), [("basic", self.password)])
        error = refused(self.answered, scheme="basic", offered=self.password, attempt=3)
        self.assertEqual(error, types.Error_Denied("registry.example refused the credential"))
        text = "registry.example wants a login, and there is no credential for it; run: davit login registry.example"
        self.assertEqual(refused(self.answered, scheme="basic"), types.Error_Denied(text))

    def test_a_token_is_fetched_from_the_realm_with_the_password(self) -> None:
        self.respond()
        self.assertEqual(self.answered(offered=self.password), [("bearer", self.token, 295)])
        query = "service=registry.example&scope=repository%3Ateam%2Fapp%3Apull%2Cpush&account=someone&client_id=davit"
        (request,) = fake_host.requests
        self.assertEqual(request.calls, [("GET", f"{REALM}?{query}"), ("basic", self.password), ("send",)])

    def test_a_refresh_token_is_sent_in_a_form_and_the_scope_is_the_one_that_was_asked_for(self) -> None:
        not_there = failing(types.Error_NotFound("no text there"))
        self.respond(take_secret=lambda at: not_there() if at == "/token" else self.token, json=None)
        refresh = Fake(kind="identity-token")
        self.assertEqual(self.answered(offered=refresh, params={"scope": "a b"}), [("bearer", self.token, 55)])
        (request,) = fake_host.requests
        self.assertEqual(
            request.calls,
            [
                ("POST", REALM),
                ("form", "grant_type", "refresh_token"),
                ("form", "client_id", "davit"),
                ("form", "service", "registry.example"),
                ("form", "scope", "a b"),
                ("form_credential", "refresh_token", refresh),
                ("send",),
            ],
        )

    def test_what_the_token_server_refuses_is_said(self) -> None:
        busy = types.Unavailability(7000, f"the token server {REALM} answered 503")
        for facts, error in [
            ({"status": 401}, types.Error_Denied(f"the token server {REALM} refused the credential")),
            ({"status": 404}, types.Error_Other(f"the token server {REALM} answered 404")),
            ({"status": 503, "header": "7"}, types.Error_Unavailable(busy)),
        ]:
            self.respond(**facts)
            self.assertEqual(refused(self.answered), error)

    def test_an_unknown_scheme_is_unsupported_and_logged(self) -> None:
        error = refused(self.answered, scheme="digest")
        self.assertEqual(error, types.Error_Unsupported('the authentication scheme "digest"'))
        self.assertEqual(fake_host.lines, [("WARN", "registry.example asks for digest")])

    def test_the_sites_mirror_is_asked_first_where_it_names_one(self) -> None:
        endpoints = Fake()
        Resolver().resolve("registry.example", "team/app", endpoints)
        fake_host.config["mirror"] = "https://mirror.example"
        Resolver().resolve("registry.example", "team/app", endpoints)
        self.assertEqual(endpoints.calls, [("add", "https://mirror.example", "")])

    def test_only_what_is_pinned_is_trusted_where_the_site_requires_a_digest(self) -> None:
        def manifest(reference):
            return Fake(reference=reference, digest="sha256:aa")

        Verifier().verify(manifest("registry.example/app:1"))
        fake_host.config["digest"] = "required"
        Verifier().verify(manifest("registry.example/app@sha256:aa"))
        error = refused(Verifier().verify, manifest("registry.example/app:1"))
        text = "registry.example/app:1 is not pinned by a digest; it is sha256:aa now"
        self.assertEqual(error, types.Error_Denied(text))
