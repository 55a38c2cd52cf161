//! Where a repository is asked for: the registry itself or its mirrors, each with a checked URL.

use crate::{
    ErrorKind, Registry, Session,
    access::Access,
    asker::Asker,
    failure,
    origin::{Origin, may_be_plain},
};
use davit_model::reference::Reference;
use reqwest::Url;
use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

/// One place that serves one repository.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// `host[:port]`, as policy knows it.
    pub(crate) registry: String,
    /// The repository's path there.
    pub(crate) repository: String,
    base: Url,
}

impl Target {
    /// The origin that credentials are bound to.
    pub(crate) fn origin(&self) -> Origin {
        Origin::of(&self.base)
    }

    /// `/v2/`.
    pub(crate) fn root(&self) -> Url {
        let mut url = self.base.clone();
        url.set_path("/v2/");
        url
    }

    /// `/v2/<repository>/<parts>`.
    pub(crate) fn url(&self, parts: &[&str]) -> Result<Url, ErrorKind> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ErrorKind::Setting(format!("{} cannot be a registry's address", self.base)))?
            .clear()
            .push("v2")
            .extend(self.repository.split('/'))
            .extend(parts);
        Ok(url)
    }
}

/// Where to read from, one place after the other. The registry itself is looked at only when its turn comes: finding out
/// how it speaks is a connection already, and it may be down while a mirror serves.
pub(crate) struct Places<'a> {
    registry: &'a Registry,
    session: &'a Session,
    reference: &'a Reference,
    mirrors: VecDeque<Target>,
    /// Whether the registry itself is still to come.
    itself: bool,
}

impl Places<'_> {
    /// The next place.
    pub(crate) async fn next(&mut self) -> Result<Option<Target>, ErrorKind> {
        if let Some(mirror) = self.mirrors.pop_front() {
            return Ok(Some(mirror));
        }
        if !std::mem::take(&mut self.itself) {
            return Ok(None);
        }
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        let access = Access::to(repository, &["pull"]);
        self.registry.registry_itself(self.session, registry, repository, &access).await.map(Some)
    }
}

/// Which scheme each registry that may be plain was found to speak.
#[derive(Debug, Default)]
pub(crate) struct Schemes(Mutex<HashMap<String, &'static str>>);

impl Schemes {
    /// After a failure: what spoke TLS may be plain now, or the other way round.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).clear();
    }
}

/// How long a registry that may be plain has to show that it speaks TLS.
const PROBE: Duration = Duration::from_secs(3);

impl Registry {
    /// The registry itself, without mirrors: for writing, and for what only it knows.
    ///
    /// Finding out which scheme it speaks is a connection already, so policy is asked first whether `access` may be had.
    pub(crate) async fn registry_itself(
        &self,
        session: &Session,
        registry: &str,
        repository: &str,
        access: &Access,
    ) -> Result<Target, ErrorKind> {
        let host = self.inner.options.hosts.get(registry).map_or(registry, String::as_str);
        let [https, plain] = candidates(host)?;
        let mut target = Target { registry: registry.to_owned(), repository: repository.to_owned(), base: https };
        let insecure = &self.inner.options.insecure;
        if !may_be_plain(&target.base, insecure) && !may_be_plain(&plain, insecure) {
            return Ok(target);
        }
        let known = self.inner.schemes.0.lock().unwrap_or_else(|e| e.into_inner()).get(host).copied();
        let scheme = match known {
            Some(scheme) => scheme,
            None => {
                let offered = session.offered_for(registry);
                Asker::new(self, session, &target, access, offered).before_a_probe().await?;
                let scheme = self.probe(target.base.clone()).await?;
                self.inner.schemes.0.lock().unwrap_or_else(|e| e.into_inner()).insert(host.to_owned(), scheme);
                scheme
            }
        };
        if scheme != "https" {
            target.base = plain;
        }
        Ok(target)
    }

    /// The places to read `reference` from, best first: those that policy names, then the registry itself.
    pub(crate) async fn places<'a>(
        &'a self,
        session: &'a Session,
        reference: &'a Reference,
    ) -> Result<Places<'a>, ErrorKind> {
        let (registry, repository) = (reference.registry(), reference.repository());
        let name = format!("{registry}/{repository}");
        let known = session.said.lock().unwrap_or_else(|e| e.into_inner()).mirrors.get(&name).cloned();
        let mirrors = match known {
            Some(mirrors) => mirrors,
            None => {
                let mirrors = session.auth.resolve(registry, repository).await.map_err(ErrorKind::Policy)?;
                session.said.lock().unwrap_or_else(|e| e.into_inner()).mirrors.insert(name, mirrors.clone());
                mirrors
            }
        };
        let (mut targets, mut itself_is_named) = (Vec::new(), false);
        for mirror in &mirrors {
            let base = self.checked(&mirror.origin)?;
            let prefix = mirror.prefix.trim_matches('/');
            let repository = if prefix.is_empty() { repository.to_owned() } else { format!("{prefix}/{repository}") };
            let host = base.host_str().unwrap_or_default();
            let authority = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            let itself = self.inner.options.hosts.get(registry).map_or(registry, String::as_str);
            let is_itself = authority == itself;
            itself_is_named |= is_itself && prefix.is_empty();
            let name = if is_itself { registry.to_owned() } else { authority };
            targets.push(Target { registry: name, repository, base });
        }
        Ok(Places { registry: self, session, reference, mirrors: targets.into(), itself: !itself_is_named })
    }

    /// A mirror's origin as a URL that may be spoken to.
    fn checked(&self, origin: &str) -> Result<Url, ErrorKind> {
        let url = Url::parse(origin)
            .map_err(|e| ErrorKind::Refused(format!("the mirror {origin:?} is not an address: {e}")))?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if may_be_plain(&url, &self.inner.options.insecure) => Ok(url),
            _ => Err(ErrorKind::Refused(format!(
                "the mirror {origin:?} does not use https; list its host as insecure to allow that"
            ))),
        }
    }

    /// Whether a host speaks TLS. No credential is sent.
    async fn probe(&self, mut url: Url) -> Result<&'static str, ErrorKind> {
        url.set_path("/v2/");
        let asked = tokio::time::timeout(PROBE, self.inner.http.head(url.clone()).send()).await;
        let Ok(Err(error)) = asked else {
            return Ok(if asked.is_ok() { "https" } else { "http" });
        };
        match failure::transport(&Origin::of(&url), &error, PROBE) {
            down @ ErrorKind::Down { .. } if failure::never_connected(&error) => Err(down),
            ErrorKind::Tls { .. } if failure::bad_certificate(&error) => Ok("https"),
            _ => Ok("http"),
        }
    }
}

/// What a registry at `host[:port]` may be: private, and plain.
fn candidates(host: &str) -> Result<[Url; 2], ErrorKind> {
    let bad = |e| ErrorKind::Setting(format!("{host:?} is not a registry's host and port: {e}"));
    Ok([Url::parse(&format!("https://{host}/")).map_err(bad)?, Url::parse(&format!("http://{host}/")).map_err(bad)?])
}
