//! The client: what outlives one operation, and the thin requests (login, tags, delete).

use crate::{
    Error, ErrorKind, MemoryPins, Operation, Options, RealmPins, Session,
    access::Access,
    body,
    endpoint::Schemes,
    exchange::{Answered, Call},
    failure,
    session::server_name,
    tokens::Tokens,
};
use davit_model::reference::Reference;
use reqwest::{Certificate, Client, Method, Url, header, redirect};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{path::Path, sync::Arc};
use tokio::sync::Semaphore;

/// A client of all registries. Clones share connections, answers and pins.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) http: Client,
    pub(crate) tokens: Tokens,
    pub(crate) pins: Arc<dyn RealmPins>,
    pub(crate) schemes: Schemes,
    pub(crate) transfers: Semaphore,
}

/// How many bytes of a failed answer or a list are read.
const LIST_LIMIT: u64 = 4 << 20;
/// How many pages of tags are read.
const PAGES: usize = 1000;

impl Registry {
    /// A client that forgets its pinned realms with the process.
    pub fn new(options: Options) -> Result<Self, Error> {
        Self::with_pins(options, Arc::new(MemoryPins::default()))
    }

    /// A client whose pinned realms are kept by `pins`.
    pub fn with_pins(options: Options, pins: Arc<dyn RealmPins>) -> Result<Self, Error> {
        let http = connect(&options).map_err(|kind| Error::new(Operation::Configure, "registries", kind))?;
        let transfers = Semaphore::new(options.max_concurrent.clamp(1, 256));
        let (tokens, schemes) = (Tokens::default(), Schemes::default());
        Ok(Self { inner: Arc::new(Inner { options, http, tokens, pins, schemes, transfers }) })
    }

    /// Forgets every answer that is kept, as after a change of the site's file.
    pub fn forget_answers(&self) {
        self.inner.tokens.clear();
    }

    /// Checks the session's credential at `registry` (`host[:port]`, or a server's address as `docker login` sends it):
    /// asks its root, and answers its challenge.
    pub async fn login(&self, session: &Session, registry: &str) -> Result<(), Error> {
        let registry = server_name(registry);
        let check = async {
            let access = Access::root();
            let target = self.registry_itself(session, registry, "", &access).await?;
            let url = target.root();
            let mut call = Call::get(&target, &access, url);
            call.fresh = true;
            let answered = self.send(session, call).await?;
            self.success(answered, "registry").await.map(drop)
        };
        check.await.map_err(|kind| Error::new(Operation::Login, registry, kind))
    }

    /// The repository's tags, in the registry's order.
    pub async fn tags(&self, session: &Session, reference: &Reference) -> Result<Vec<String>, Error> {
        let list = async {
            let access = Access::to(reference.repository(), &["pull"]);
            let target = self.registry_itself(session, reference.registry(), reference.repository(), &access).await?;
            let mut url = Some(target.url(&["tags", "list"])?);
            let mut tags = Vec::new();
            for _ in 0..PAGES {
                let Some(page) = url.take() else { break };
                let answered = self.send(session, Call::get(&target, &access, page.clone())).await?;
                let answered = self.success(answered, "repository").await?;
                let next = next_page(&page, &answered.response);
                let bytes = body::read_all(answered, LIST_LIMIT, self.inner.options.timeouts.stall).await?;
                let page: TagsPage = serde_json::from_slice(&bytes)
                    .map_err(|e| ErrorKind::Protocol(format!("the list of tags cannot be read: {e}")))?;
                tags.extend(page.tags.unwrap_or_default());
                url = next;
            }
            Ok(tags)
        };
        list.await.map_err(|kind| Error::new(Operation::ListTags, reference.familiar(), kind))
    }

    /// Removes the manifest at `reference`, which must have a digest for most registries.
    pub async fn delete(&self, session: &Session, reference: &Reference) -> Result<(), Error> {
        let remove = async {
            let access = Access::to(reference.repository(), &["delete"]);
            let target = self.registry_itself(session, reference.registry(), reference.repository(), &access).await?;
            let url = target.url(&["manifests", &reference.manifest_key()])?;
            let answered = self.send(session, Call::new(Method::DELETE, &target, &access, url)).await?;
            self.success(answered, "manifest").await.map(drop)
        };
        remove.await.map_err(|kind| Error::new(Operation::Delete, reference.familiar(), kind))
    }

    /// The answer where it is a success, else its error; `what` names what a 404 is about.
    pub(crate) async fn success(&self, answered: Answered, what: &str) -> Result<Answered, ErrorKind> {
        let status = answered.response.status();
        if status.is_success() {
            return Ok(answered);
        }
        let body = body::read_some(answered, LIST_LIMIT, self.inner.options.timeouts.stall).await;
        Err(failure::status(status.as_u16(), &body, what))
    }
}

#[derive(serde::Deserialize)]
struct TagsPage {
    tags: Option<Vec<String>>,
}

/// The next page of a list (RFC 8288 `Link` with `rel="next"`), on the same origin only.
pub(crate) fn next_page(page: &Url, response: &reqwest::Response) -> Option<Url> {
    let link = response.headers().get(header::LINK)?.to_str().ok()?;
    let (target, params) = link.strip_prefix('<')?.split_once('>')?;
    let next = page.join(target).ok()?;
    (params.contains("next") && next.origin() == page.origin() && next != *page).then_some(next)
}

fn connect(options: &Options) -> Result<Client, ErrorKind> {
    // An error says that a provider is there already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let extra = match &options.certificates {
        Some(folder) => certificates(folder)?,
        None => Vec::new(),
    };
    let build = |only_extra: bool| {
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.timeouts.connect)
            .pool_max_idle_per_host(options.max_concurrent.clamp(1, 256))
            .user_agent(options.user_agent.clone());
        let certificates = extra.iter().cloned();
        if only_extra { builder.tls_certs_only(certificates) } else { builder.tls_certs_merge(certificates) }.build()
    };
    // A machine without any system certificate can still speak to loopback registries and to those of `extra`.
    build(false).or_else(|e| {
        tracing::warn!(error = %e, "the system's certificates cannot be used: only the configured ones are trusted");
        build(true).map_err(|e| ErrorKind::Setting(format!("cannot make an HTTP client: {e}")))
    })
}

fn certificates(folder: &Path) -> Result<Vec<Certificate>, ErrorKind> {
    let fail = |path: &Path, e: &dyn std::fmt::Display| ErrorKind::Setting(format!("{}: {e}", path.display()));
    let mut found = Vec::new();
    let mut check = RootCertStore::empty();
    for entry in std::fs::read_dir(folder).map_err(|e| fail(folder, &e))? {
        let path = entry.map_err(|e| fail(folder, &e))?.path();
        if !path.extension().is_some_and(|x| x == "crt" || x == "pem") {
            continue;
        }
        let pem = std::fs::read(&path).map_err(|e| fail(&path, &e))?;
        for der in CertificateDer::pem_slice_iter(&pem) {
            let der = der.map_err(|e| fail(&path, &e))?;
            // Added to a store of our own first, so that a bad one is known by its file.
            check.add(der.clone()).map_err(|e| fail(&path, &e))?;
            found.push(Certificate::from_der(&der).map_err(|e| fail(&path, &e))?);
        }
    }
    Ok(found)
}
