//! What a plugin may do: what its manifest asks for *and* the operator granted. Without parameters a grant ages badly,
//! so every right names what it is for.

use crate::{origin::Origin, secret::Bound};
use davit_model::{auth::Challenge, container::SecretFile, error::PolicyError, id::Caller, lifecycle::Adjustment};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The symbolic origins: the registry of the challenge, and the realm that it named.
const REGISTRY: &str = "registry";
const REALM: &str = "realm";

/// In a manifest: whatever of this right the site grants by name, since only the site knows its origins, secrets and
/// interfaces. Nothing that a grant can say.
pub(crate) const SITES_OWN: &str = "*";

/// What a manifest needs, and in the same words what a grant gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Ask {
    /// Origins to speak to; `registry` and `realm` are symbolic.
    pub http: BTreeSet<String>,
    /// Names of the site's secrets.
    pub secrets: BTreeSet<String>,
    /// Names of the site's secrets that containers may be given as files.
    pub secret_files: BTreeSet<String>,
    /// Durable keys and values.
    pub state: bool,
    /// Credentials that are kept at the daemon.
    pub credentials: bool,
    /// JSON pointers into requests that may be adjusted; `*` stands for one segment.
    pub adjust: BTreeSet<String>,
    /// Origins that may serve instead of a registry.
    pub mirrors: BTreeSet<String>,
    /// Interfaces of the host that networks may be made on.
    pub interfaces: BTreeSet<String>,
    /// Containers in the host's own network namespace.
    pub host_network: bool,
    /// Link-local addresses may be spoken to.
    pub link_local: bool,
}

impl Ask {
    /// Whether a manifest may need this: every origin and pointer can be read.
    pub(crate) fn check_needs(&self) -> Result<(), String> {
        self.named().check()
    }

    /// Whether it can be granted: as for needs, and everything has a name.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (key, set) in [
            ("http", &self.http),
            ("secrets", &self.secrets),
            ("secret-files", &self.secret_files),
            ("mirrors", &self.mirrors),
            ("interfaces", &self.interfaces),
        ] {
            if set.contains(SITES_OWN) {
                return Err(format!("{key}: a grant names what it is for, instead of {SITES_OWN:?}"));
            }
        }
        for text in self.http.iter().filter(|t| !matches!(t.as_str(), REGISTRY | REALM)).chain(&self.mirrors) {
            text.parse::<Origin>()?;
        }
        for pointer in &self.adjust {
            if !pointer.starts_with('/') {
                return Err(format!("adjust: {pointer:?} is not a JSON pointer"));
            }
            if SecretFile::is_at(pointer) || pointer.starts_with("/*") {
                return Err(format!(
                    "adjust: {pointer:?}: secrets are given by the right \"secret-files\", each by name"
                ));
            }
        }
        Ok(())
    }

    /// Without what is left to the site to name: what can be granted as it stands.
    pub(crate) fn named(&self) -> Self {
        let named = |set: &BTreeSet<String>| set.iter().filter(|item| *item != SITES_OWN).cloned().collect();
        Self {
            http: named(&self.http),
            secrets: named(&self.secrets),
            secret_files: named(&self.secret_files),
            mirrors: named(&self.mirrors),
            interfaces: named(&self.interfaces),
            ..self.clone()
        }
    }

    /// What is needed here and granted there.
    fn granted(&self, grant: &Self) -> Self {
        let both = |needs: &BTreeSet<String>, given: &BTreeSet<String>| {
            let sites_own = needs.contains(SITES_OWN);
            // The symbolic origins are no names of the site: they are asked for by themselves.
            let symbolic = |item: &str| matches!(item, REGISTRY | REALM);
            given.iter().filter(|item| needs.contains(*item) || (sites_own && !symbolic(item))).cloned().collect()
        };
        Self {
            http: both(&self.http, &grant.http),
            secrets: both(&self.secrets, &grant.secrets),
            secret_files: both(&self.secret_files, &grant.secret_files),
            state: self.state && grant.state,
            credentials: self.credentials && grant.credentials,
            adjust: self.adjust.intersection(&grant.adjust).cloned().collect(),
            mirrors: both(&self.mirrors, &grant.mirrors),
            interfaces: both(&self.interfaces, &grant.interfaces),
            host_network: self.host_network && grant.host_network,
            link_local: self.link_local && grant.link_local,
        }
    }

    /// Whether nothing is asked for.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Effective rights of one plugin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights {
    site_name: String,
    both: Ask,
    origins: Vec<Origin>,
    mirrors: Vec<Origin>,
    callers: BTreeSet<String>,
}

impl Rights {
    /// What `needs` and `granted` have in common. Both were checked.
    pub(crate) fn effective(site_name: &str, needs: &Ask, granted: &Ask, callers: &BTreeSet<String>) -> Self {
        let both = needs.granted(granted);
        let read = |set: &BTreeSet<String>| set.iter().filter_map(|t| t.parse().ok()).collect();
        Self {
            site_name: site_name.to_owned(),
            origins: read(&both.http),
            mirrors: read(&both.mirrors),
            both,
            callers: callers.clone(),
        }
    }

    fn denied(&self, what: &str, key: &str) -> PolicyError {
        let site = &self.site_name;
        PolicyError::Denied(format!(
            "{what} (grant {key:?} missing: the manifest must ask for it, and [plugins.{site}.grant] must give it)"
        ))
    }

    pub(crate) fn state(&self) -> Result<(), PolicyError> {
        if self.both.state { Ok(()) } else { Err(self.denied("durable state", "state")) }
    }

    pub(crate) fn secret(&self, name: &str) -> Result<(), PolicyError> {
        if self.both.secrets.contains(name) {
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
        if self.both.adjust.iter().any(|pattern| matches_pointer(pattern, path)) {
            return Ok(());
        }
        Err(self.denied(&format!("adjusting {}", path.chars().take(160).collect::<String>()), "adjust"))
    }

    pub(crate) fn mirror(&self, text: &str) -> Result<Origin, PolicyError> {
        let origin: Origin = text.parse().map_err(PolicyError::Invalid)?;
        if self.mirrors.contains(&origin) {
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

    /// Whether an origin may be spoken to at all.
    pub(crate) fn http(&self, origin: &Origin, challenge: Option<&Challenge>) -> Result<(), PolicyError> {
        let symbolic = challenge.is_some_and(|c| {
            (self.both.http.contains(REGISTRY) && origin.is_registry(c))
                || (self.both.http.contains(REALM) && origin.is_realm(c))
        });
        if symbolic || self.http_by_name(origin) {
            return Ok(());
        }
        Err(self.denied(&format!("http {origin}"), "http"))
    }

    /// Whether an origin was granted by name.
    pub(crate) fn http_by_name(&self, origin: &Origin) -> bool {
        self.origins.contains(origin)
    }

    /// Whether a secret that is so bound may be sent there.
    pub(crate) fn may_send(
        &self,
        bound: &Bound,
        origin: &Origin,
        challenge: Option<&Challenge>,
    ) -> Result<(), PolicyError> {
        let may = match bound {
            Bound::Granted => self.http_by_name(origin),
            Bound::Challenge => challenge.is_some_and(|c| origin.is_of_challenge(c)),
            Bound::Origin(from) => from == origin,
        };
        if may { Ok(()) } else { Err(PolicyError::Denied(format!("the secret is not for {origin}"))) }
    }

    /// Whether a secret that is so bound may answer the challenge of a registry.
    pub(crate) fn may_answer(&self, bound: &Bound, challenge: Option<&Challenge>) -> Result<(), PolicyError> {
        match bound {
            Bound::Granted => self.registry_by_name(challenge),
            Bound::Challenge | Bound::Origin(_) => Ok(()),
        }
    }

    /// Whether the registry of a challenge was granted by name: only such may have a secret of the site.
    fn registry_by_name(&self, challenge: Option<&Challenge>) -> Result<(), PolicyError> {
        let Some(challenge) = challenge else {
            return Err(PolicyError::Denied("a secret without a challenge".to_owned()));
        };
        if self.origins.iter().any(|origin| origin.is_registry(challenge)) {
            return Ok(());
        }
        let registry: String = challenge.registry.chars().take(160).collect();
        Err(self.denied(&format!("a secret of the site for the registry {registry}"), "http"))
    }

    pub(crate) fn link_local(&self) -> bool {
        self.both.link_local
    }
}

/// Whether a pointer is one of a pattern's: same number of segments, `*` standing for any one.
fn matches_pointer(pattern: &str, path: &str) -> bool {
    let mut path = path.split('/');
    let mut pattern = pattern.split('/');
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(adjust: &[&str]) -> Ask {
        Ask { adjust: adjust.iter().map(|s| (*s).to_owned()).collect(), ..Ask::default() }
    }

    #[test]
    fn a_right_needs_both_the_manifest_and_the_operator() {
        let none = BTreeSet::new();
        let rights = Rights::effective("p", &ask(&["/labels/*", "/env/*"]), &ask(&["/labels/*", "/user"]), &none);
        assert!(rights.adjust("/labels/team").is_ok());
        for path in ["/env/A", "/user", "/labels", "/labels/", "/labels/a/b", "/privileged", ""] {
            assert!(rights.adjust(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_only_the_site_can_name_is_needed_by_a_star_and_granted_by_name() {
        let texts = |items: &[&str]| items.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
        let needs = Ask { http: texts(&["*"]), interfaces: texts(&["*"]), ..Ask::default() };
        assert!(needs.check_needs().is_ok());
        assert!(needs.check().unwrap_err().contains("names what it is for"), "a grant has no star");
        let grant = Ask {
            http: texts(&["https://sink.example", "realm"]),
            interfaces: texts(&["eth1"]),
            secrets: texts(&["key"]),
            ..Ask::default()
        };
        let rights = Rights::effective("p", &needs, &grant, &BTreeSet::new());
        assert!(rights.interface("eth1").is_ok() && rights.interface("eth0").is_err());
        assert!(rights.http_by_name(&"https://sink.example".parse().unwrap()));
        assert!(!rights.both.http.contains(REALM), "the realm is no name of the site");
        assert!(rights.secret("key").is_err(), "it was not asked for");
        assert!(needs.named().is_nothing(), "nothing of it can be granted as it stands");
    }

    #[test]
    fn a_secret_reaches_a_container_by_its_own_right_alone() {
        for way in ["/secret_files/*", "/secret_files/~1run~1key", "/secret_files", "/*", "/*/*"] {
            assert!(ask(&[way]).check().is_err(), "{way}");
        }
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
        let text = Rights::default().http(&"https://a.example".parse().unwrap(), None).unwrap_err().to_string();
        assert!(text.contains("http https://a.example") && text.contains("grant \"http\" missing"), "{text}");
    }
}
