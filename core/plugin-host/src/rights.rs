//! What a plugin may do: what its manifest asks for *and* the operator granted. Without parameters a grant ages badly,
//! so every right says what it is for.

use crate::{
    ask::{Ask, read},
    origin::Origin,
    scope::{Field, Http, Mirror, NamedSecret, To},
    secret::Bound,
};
use davit_model::{auth::Challenge, container::SecretFile, error::PolicyError, id::Caller, lifecycle::Adjustment};
use std::collections::BTreeSet;

/// Effective rights of one plugin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights {
    site_name: String,
    both: Ask,
    http: Vec<Http>,
    secrets: Vec<NamedSecret>,
    adjust: Vec<Field>,
    mirrors: Vec<Mirror>,
    callers: BTreeSet<String>,
}

impl Rights {
    /// What `needs` and `granted` have in common. Both were checked.
    pub(crate) fn effective(site_name: &str, needs: &Ask, granted: &Ask, callers: &BTreeSet<String>) -> Self {
        let both = needs.common(granted);
        Self {
            site_name: site_name.to_owned(),
            http: read(&both.http),
            secrets: read(&both.secrets),
            adjust: read(&both.adjust),
            mirrors: read(&both.mirrors),
            both,
            callers: callers.clone(),
        }
    }

    fn denied(&self, what: &str, key: &str) -> PolicyError {
        let site = &self.site_name;
        PolicyError::Denied(format!(
            "{what} (grant {key:?} missing: the manifest must ask for it, and davit plugin grant {site} must give it, or \
             [plugins.{site}.grant] where the site's file names the source)"
        ))
    }

    pub(crate) fn state(&self) -> Result<(), PolicyError> {
        if self.both.state { Ok(()) } else { Err(self.denied("durable state", "state")) }
    }

    pub(crate) fn secret(&self, name: &str) -> Result<(), PolicyError> {
        if self.secrets.iter().any(|secret| secret.is(name)) {
            return Ok(());
        }
        Err(self.denied(&format!("secret {:?}", name.chars().take(80).collect::<String>()), "secrets"))
    }

    pub(crate) fn secret_file(&self, name: &str) -> Result<(), PolicyError> {
        if self.both.secret_files.contains(name) {
            return Ok(());
        }
        Err(self.denied(&format!("secret {:?} as a file", name.chars().take(80).collect::<String>()), "secret-files"))
    }

    /// Whether an adjustment may be made, whatever it is of.
    pub(crate) fn adjustment(&self, adjustment: &Adjustment) -> Result<(), PolicyError> {
        if !SecretFile::is_at(&adjustment.path) {
            return self.adjust(&adjustment.path);
        }
        let file = serde_json::from_value::<SecretFile>(adjustment.value.clone());
        self.secret_file(&file.map_err(|e| PolicyError::Invalid(format!("a secret file: {e}")))?.secret)
    }

    pub(crate) fn credentials(&self, caller: &Caller) -> Result<(), PolicyError> {
        if !self.both.credentials {
            return Err(self.denied("stored credentials", "credentials"));
        }
        if self.callers.contains(&caller.0) {
            return Ok(());
        }
        Err(self.denied(&format!("stored credentials for caller {caller}"), "credential-callers"))
    }

    pub(crate) fn adjust(&self, path: &str) -> Result<(), PolicyError> {
        if !path.starts_with('/') {
            return Err(PolicyError::Invalid("a field is named by a JSON pointer, which begins with /".to_owned()));
        }
        if self.adjust.iter().any(|field| field.matches(path)) {
            return Ok(());
        }
        Err(self.denied(&format!("adjusting {}", path.chars().take(160).collect::<String>()), "adjust"))
    }

    pub(crate) fn mirror(&self, text: &str) -> Result<Origin, PolicyError> {
        let origin: Origin = text.parse().map_err(PolicyError::Invalid)?;
        if self.mirrors.iter().any(|mirror| mirror.is(&origin)) {
            Ok(origin)
        } else {
            Err(self.denied(&format!("mirror {origin}"), "mirrors"))
        }
    }

    pub(crate) fn interface(&self, name: &str) -> Result<(), PolicyError> {
        if self.both.interfaces.contains(name) {
            return Ok(());
        }
        Err(self.denied(&format!("interface {:?}", name.chars().take(40).collect::<String>()), "interfaces"))
    }

    /// The interfaces that were granted.
    pub(crate) fn interfaces(&self) -> &BTreeSet<String> {
        &self.both.interfaces
    }

    pub(crate) fn host_network(&self) -> Result<(), PolicyError> {
        if self.both.host_network { Ok(()) } else { Err(self.denied("the host's network namespace", "host-network")) }
    }

    /// Whether a request of this method may be sent to an origin.
    pub(crate) fn http(&self, method: &str, origin: &Origin, challenge: Option<&Challenge>) -> Result<(), PolicyError> {
        let is_it = |to: &To| match to {
            To::SitesOwn => false,
            To::Registry => challenge.is_some_and(|c| origin.is_registry(c)),
            To::Realm => challenge.is_some_and(|c| origin.is_realm(c)),
            To::Origin(named) => named == origin,
        };
        let mut there = self.http.iter().filter(|right| is_it(right.to())).peekable();
        if there.peek().is_none() {
            return Err(self.denied(&format!("http {origin}"), "http"));
        }
        if there.any(|right| right.allows(method)) {
            return Ok(());
        }
        let method: String = method.chars().take(40).flat_map(char::escape_debug).collect();
        Err(self.denied(&format!("http {method} {origin}"), "http"))
    }

    /// Whether requests of this method were granted for an origin by name.
    fn http_by_name(&self, method: &str, origin: &Origin) -> bool {
        self.http.iter().any(|right| matches!(right.to(), To::Origin(named) if named == origin) && right.allows(method))
    }

    /// Whether a secret of the site may go where `is_it` says: those without an origin may go to all that have it in them.
    fn secret_goes(&self, name: &str, is_it: impl Fn(&Origin) -> bool) -> bool {
        self.secrets.iter().any(|secret| secret.is(name) && secret.towards().is_none_or(&is_it))
    }

    /// Whether a secret that is so bound may be sent there, in a request of this method.
    pub(crate) fn may_send(
        &self,
        bound: &Bound,
        method: &str,
        origin: &Origin,
        challenge: Option<&Challenge>,
    ) -> Result<(), PolicyError> {
        let may = match bound {
            Bound::Site(name) => {
                let by_name = self.http_by_name(method, origin);
                if by_name && !self.secret_goes(name, |towards| towards == origin) {
                    return Err(self.denied(&format!("secret {name:?} towards {origin}"), "secrets"));
                }
                by_name
            }
            Bound::Challenge => challenge.is_some_and(|c| origin.is_of_challenge(c)),
            Bound::Origin(from) => from == origin,
        };
        if may { Ok(()) } else { Err(PolicyError::Denied(format!("the secret is not for {origin}"))) }
    }

    /// Whether a secret that is so bound may answer the challenge of a registry.
    pub(crate) fn may_answer(&self, bound: &Bound, challenge: Option<&Challenge>) -> Result<(), PolicyError> {
        match bound {
            Bound::Site(name) => self.registry_by_name(name, challenge),
            Bound::Challenge | Bound::Origin(_) => Ok(()),
        }
    }

    /// Whether the registry of a challenge was granted by name: only such may have a secret of the site. The requests that
    /// follow are not the plugin's, so that their methods are none of its rights.
    fn registry_by_name(&self, secret: &str, challenge: Option<&Challenge>) -> Result<(), PolicyError> {
        let Some(challenge) = challenge else {
            return Err(PolicyError::Denied("a secret without a challenge".to_owned()));
        };
        let registry: String = challenge.registry.chars().take(160).collect();
        let by_name = |right: &Http| matches!(right.to(), To::Origin(named) if named.is_registry(challenge));
        if !self.http.iter().any(by_name) {
            return Err(self.denied(&format!("a secret of the site for the registry {registry}"), "http"));
        }
        if !self.secret_goes(secret, |towards| towards.is_registry(challenge)) {
            return Err(self.denied(&format!("secret {secret:?} for the registry {registry}"), "secrets"));
        }
        Ok(())
    }

    pub(crate) fn link_local(&self) -> bool {
        self.both.link_local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(adjust: &[&str]) -> Ask {
        Ask { adjust: texts(adjust), ..Ask::default() }
    }

    fn texts(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|s| (*s).to_owned()).collect()
    }

    fn origin(text: &str) -> Origin {
        text.parse().unwrap()
    }

    #[test]
    fn a_right_needs_both_the_manifest_and_the_operator() {
        let none = BTreeSet::new();
        let rights = Rights::effective("p", &ask(&["/labels/*", "/env/*"]), &ask(&["/labels/*", "/user"]), &none);
        assert!(rights.adjust("/labels/team").is_ok());
        for path in ["/env/A", "/user", "/labels", "/labels/", "/labels/a/b", "/privileged", ""] {
            assert!(rights.adjust(path).is_err(), "{path}");
        }
        for (needs, grant) in [("/labels/*", "/labels/team"), ("/labels/team", "/labels/*")] {
            let rights = Rights::effective("p", &ask(&[needs]), &ask(&[grant]), &none);
            assert!(
                rights.adjust("/labels/team").is_ok() && rights.adjust("/labels/other").is_err(),
                "{needs} {grant}"
            );
        }
    }

    #[test]
    fn what_the_manifest_leaves_to_the_site_is_what_the_site_names() {
        let needs = Ask { http: texts(&["*"]), interfaces: texts(&["*"]), ..Ask::default() };
        let grant = Ask {
            http: texts(&["https://sink.example", "realm"]),
            interfaces: texts(&["eth1"]),
            secrets: texts(&["key"]),
            ..Ask::default()
        };
        let rights = Rights::effective("p", &needs, &grant, &BTreeSet::new());
        assert!(rights.interface("eth1").is_ok() && rights.interface("eth0").is_err());
        assert!(rights.http("GET", &origin("https://sink.example"), None).is_ok());
        assert!(rights.http.iter().all(|right| *right.to() != To::Realm), "the realm is no name of the site");
        assert!(rights.secret("key").is_err(), "it was not asked for");
    }

    #[test]
    fn a_request_is_of_a_method_that_both_the_manifest_and_the_operator_name() {
        let a = origin("https://a.example");
        for (need, grant) in [
            ("GET,HEAD https://a.example", "https://a.example"),
            ("https://a.example", "GET,HEAD https://a.example"),
            ("GET,HEAD,PUT https://a.example", "POST,GET,HEAD https://a.example"),
            ("GET,HEAD *", "https://a.example"),
        ] {
            let [needs, grant] = [need, grant].map(|http| Ask { http: texts(&[http]), ..Ask::default() });
            let rights = Rights::effective("p", &needs, &grant, &BTreeSet::new());
            assert!(rights.http("GET", &a, None).is_ok() && rights.http("HEAD", &a, None).is_ok(), "{need}");
            for method in ["POST", "PUT", "get", "GET,HEAD", ""] {
                let text = rights.http(method, &a, None).unwrap_err().to_string();
                assert!(text.contains(&format!("http {method} https://a.example (grant \"http\"")), "{text}");
                assert!(text.contains("[plugins.p.grant]"), "{text}");
            }
            assert!(rights.http("GET", &origin("https://b.example"), None).is_err());
        }
        let split = Ask { http: texts(&["GET https://a.example", "POST https://a.example"]), ..Ask::default() };
        let rights = Rights::effective("p", &split, &split, &BTreeSet::new());
        assert!(rights.http("GET", &a, None).is_ok() && rights.http("POST", &a, None).is_ok());
    }

    #[test]
    fn a_secret_with_an_origin_goes_to_no_other_and_only_as_requests_may() {
        let http = texts(&["https://a.example", "GET https://b.example"]);
        let may = |need: &str, grant: &str, method: &str, to: &str| {
            let [needs, grant] =
                [need, grant].map(|secret| Ask { http: http.clone(), secrets: texts(&[secret]), ..Ask::default() });
            let rights = Rights::effective("p", &needs, &grant, &BTreeSet::new());
            rights.may_send(&Bound::Site("key".to_owned()), method, &origin(to), None).map_err(|e| e.to_string())
        };
        for (need, grant) in
            [("key https://a.example", "key"), ("key", "key https://a.example"), ("* https://a.example", "key")]
        {
            assert!(may(need, grant, "POST", "https://a.example").is_ok(), "{need}");
            let text = may(need, grant, "GET", "https://b.example").unwrap_err();
            assert!(text.contains("secret \"key\" towards https://b.example (grant \"secrets\""), "{text}");
        }
        assert!(may("key", "key", "GET", "https://b.example").is_ok());
        assert!(may("key", "key", "POST", "https://b.example").is_err(), "that method was not granted");
        assert!(may("key", "key", "GET", "https://c.example").is_err(), "nobody may speak to it");
        assert!(
            may("key https://c.example", "key", "GET", "https://c.example").is_err(),
            "nor with the secret's own right"
        );
        assert!(may("key https://a.example", "key https://b.example", "GET", "https://a.example").is_err());
    }

    #[test]
    fn a_secret_is_given_to_a_container_by_its_own_right_alone() {
        let needs = Ask { secret_files: BTreeSet::from(["key".to_owned()]), ..Ask::default() };
        let rights = Rights::effective("p", &needs, &needs, &BTreeSet::new());
        let give = |secret: &str| Adjustment {
            path: "/secret_files/~1run~1key".into(),
            value: serde_json::json!({"secret": secret, "mode": 256, "uid": 0, "gid": 0}),
        };
        assert!(rights.adjustment(&give("key")).is_ok());
        assert!(rights.adjustment(&give("other")).is_err());
        assert!(rights.secret("key").is_err(), "that right is another one");
    }

    #[test]
    fn a_refusal_says_what_is_missing_and_where_to_give_it() {
        let text = Rights::default().http("GET", &origin("https://a.example"), None).unwrap_err().to_string();
        assert!(text.contains("http https://a.example") && text.contains("grant \"http\" missing"), "{text}");
    }
}
