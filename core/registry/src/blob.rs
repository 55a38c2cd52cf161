//! Brings a blob into a sink: resumed by ranges, bounded by its descriptor, checked by its digest.

use crate::{
    Descriptor, Error, ErrorKind, Operation, Registry, Session,
    access::Access,
    backoff, body,
    digester::Digester,
    endpoint::Target,
    exchange::{Answered, Call},
    resolve::elsewhere,
};
use async_trait::async_trait;
use bytes::Bytes;
use davit_model::reference::Reference;
use reqwest::{
    StatusCode,
    header::{CONTENT_RANGE, RANGE},
};
use std::io;

/// Where a blob's bytes go. What it holds when a fetch ends early is where the next one begins.
#[async_trait]
pub trait BlobSink: Send {
    /// How many bytes it holds, from the blob's start.
    fn offset(&self) -> u64;
    /// Appends.
    async fn write(&mut self, bytes: Bytes) -> io::Result<()>;
    /// Forgets everything; the offset is 0 again.
    async fn reset(&mut self) -> io::Result<()>;
}

/// How a fetch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes that came over the network, repetitions included.
    pub received: u64,
    /// Whether this fetch saw every byte and so checked the digest. After a resumption it did not: the sink's owner
    /// must check then.
    pub checked: bool,
}

/// How often a blob is begun anew because the registry does not keep its ranges.
const RESTARTS: u32 = 3;

impl Registry {
    /// Fetches the blob of `descriptor` from `reference`'s repository into `sink`, from the sink's offset on.
    ///
    /// `progress` is told how many bytes the sink holds. Dropping the future stops at once; the sink then holds a
    /// prefix of the blob. When the digest is wrong the sink is reset.
    pub async fn fetch_blob(
        &self,
        session: &Session,
        reference: &Reference,
        descriptor: &Descriptor,
        sink: &mut dyn BlobSink,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Fetched, Error> {
        let fetched = self.fetch_from_any(session, reference, descriptor, sink, progress).await;
        fetched.map_err(|kind| {
            Error::new(Operation::Pull, reference.with_digest(descriptor.digest.clone()).familiar(), kind)
        })
    }

    async fn fetch_from_any(
        &self,
        session: &Session,
        reference: &Reference,
        descriptor: &Descriptor,
        sink: &mut dyn BlobSink,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Fetched, ErrorKind> {
        let _turn =
            self.inner.transfers.acquire().await.map_err(|_| ErrorKind::Setting("the client is closed".into()))?;
        let mut last = None;
        let mut places = self.places(session, reference).await?;
        while let Some(target) = places.next().await? {
            let mut transfer = Transfer::new(self, session, &target, descriptor, sink, progress);
            match transfer.run().await {
                Err(kind) if elsewhere(&kind) => last = Some(kind),
                outcome => return outcome,
            }
        }
        Err(last.unwrap_or_else(|| ErrorKind::NotFound("blob unknown to registry".to_owned())))
    }
}

/// One blob on its way from one endpoint.
struct Transfer<'a> {
    registry: &'a Registry,
    session: &'a Session,
    target: &'a Target,
    descriptor: &'a Descriptor,
    sink: &'a mut dyn BlobSink,
    progress: &'a (dyn Fn(u64) + Send + Sync),
    /// Of every byte from the start; none where the sink held some before.
    digester: Option<Digester>,
    received: u64,
    restarts: u32,
}

impl<'a> Transfer<'a> {
    fn new(
        registry: &'a Registry,
        session: &'a Session,
        target: &'a Target,
        descriptor: &'a Descriptor,
        sink: &'a mut dyn BlobSink,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> Self {
        let digester = (sink.offset() == 0).then(|| Digester::new(descriptor.digest.algorithm()));
        Self { registry, session, target, descriptor, sink, progress, digester, received: 0, restarts: 0 }
    }

    async fn run(&mut self) -> Result<Fetched, ErrorKind> {
        if self.sink.offset() > self.descriptor.size {
            self.restart().await?;
        }
        let mut failures = 0;
        while self.sink.offset() < self.descriptor.size || (self.descriptor.size == 0 && self.received == 0) {
            let before = self.sink.offset();
            match self.once().await {
                Ok(()) if self.descriptor.size == 0 => break,
                Ok(()) => {}
                Err(kind) if passing(&kind) => {
                    failures = if self.sink.offset() > before { 1 } else { failures + 1 };
                    if failures > self.registry.inner.options.retries {
                        return Err(kind);
                    }
                    tracing::debug!(offset = self.sink.offset(), error = %kind, "the blob is continued");
                    tokio::time::sleep(backoff::delay(failures)).await;
                }
                Err(kind) => return Err(kind),
            }
        }
        let checked = self.digester.is_some();
        if let Some(Err(received)) = self.digester.take().map(|d| d.check(&self.descriptor.digest)) {
            self.sink.reset().await.map_err(ErrorKind::Sink)?;
            return Err(ErrorKind::DigestMismatch { expected: self.descriptor.digest.clone(), received });
        }
        Ok(Fetched { received: self.received, checked })
    }

    /// One request, from the sink's offset to the end or to where it breaks.
    async fn once(&mut self) -> Result<(), ErrorKind> {
        let offset = self.sink.offset();
        let access = Access::to(&self.target.repository, &["pull"]);
        let url = self.target.url(&["blobs", &self.descriptor.digest.to_string()])?;
        let mut call = Call::get(self.target, &access, url);
        call.retry = false;
        if offset > 0 {
            call = call.header(RANGE, &format!("bytes={offset}-"))?;
        }
        let answered = self.registry.send(self.session, call).await?;
        match answered.response.status() {
            StatusCode::PARTIAL_CONTENT if offset > 0 && range_start(&answered) == Some(offset) => {}
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => {
                return self.restart().await;
            }
            StatusCode::OK if offset > 0 => self.restart().await?,
            StatusCode::PARTIAL_CONTENT => {
                return Err(ErrorKind::Protocol("a part of a blob that was asked for as a whole".to_owned()));
            }
            _ => {}
        }
        let mut answered = self.registry.success(answered, "blob").await?;
        let stall = self.registry.inner.options.timeouts.stall;
        while let Some(piece) = body::next(&mut answered, stall).await? {
            self.take(piece).await?;
        }
        match self.sink.offset() {
            all if all == self.descriptor.size => Ok(()),
            // The end came early and in good order: the registry's copy may be short, or something cut it on the way.
            _ => Err(ErrorKind::Broken {
                address: answered.origin.as_str().to_owned(),
                why: "the content ended early".into(),
            }),
        }
    }

    async fn take(&mut self, piece: Bytes) -> Result<(), ErrorKind> {
        let expected = self.descriptor.size;
        let after = self.sink.offset().saturating_add(piece.len() as u64);
        if after > expected {
            self.sink.reset().await.map_err(ErrorKind::Sink)?;
            return Err(ErrorKind::SizeMismatch { expected, received: after });
        }
        self.received += piece.len() as u64;
        if let Some(digester) = &mut self.digester {
            digester.update(&piece);
        }
        self.sink.write(piece).await.map_err(ErrorKind::Sink)?;
        (self.progress)(self.sink.offset());
        Ok(())
    }

    /// From the start, and with the digest of every byte.
    async fn restart(&mut self) -> Result<(), ErrorKind> {
        self.restarts += 1;
        if self.restarts > RESTARTS {
            return Err(ErrorKind::Protocol("it does not keep to the ranges that it is asked for".to_owned()));
        }
        self.sink.reset().await.map_err(ErrorKind::Sink)?;
        self.digester = Some(Digester::new(self.descriptor.digest.algorithm()));
        (self.progress)(0);
        Ok(())
    }
}

/// Where a part begins: `bytes <start>-<end>/<size>`.
fn range_start(answered: &Answered) -> Option<u64> {
    let text = answered.response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// Whether the same request may go better in a moment.
fn passing(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Broken { .. } | ErrorKind::Timeout { .. } | ErrorKind::Down { .. } => true,
        ErrorKind::Status { status, .. } => matches!(status, 500 | 502 | 503 | 504),
        _ => false,
    }
}
