//! Sends one blob: asks whether it is there, mounts it, or uploads it, in one piece or in chunks
//! (distribution-spec, "Pushing Blobs").

use crate::{
    BlobSource, Descriptor, ErrorKind, PushBlob, PushState, Registry, Session,
    access::Access,
    backoff,
    endpoint::Target,
    exchange::{Answered, Call, Payload, Upload, follow},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture};
use reqwest::{
    Method, StatusCode, Url,
    header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION},
};
use std::io;
use tokio::sync::watch;

type Progress<'a> = &'a (dyn Fn(&Descriptor, PushState) + Send + Sync);

impl Registry {
    /// Brings one blob to the registry, by the shortest way.
    pub(crate) async fn push_blob(
        &self,
        session: &Session,
        target: &Target,
        blob: &PushBlob,
        source: &dyn BlobSource,
        progress: Progress<'_>,
    ) -> Result<(), ErrorKind> {
        let _turn =
            self.inner.transfers.acquire().await.map_err(|_| ErrorKind::Setting("the client is closed".into()))?;
        let descriptor = &blob.descriptor;
        if self.has_blob(session, target, descriptor).await? {
            progress(descriptor, PushState::Exists);
            return Ok(());
        }
        let mut begun = None;
        if let Some(from) = blob.mount_from.first() {
            match self.mount(session, target, descriptor, from).await? {
                Mount::Done => {
                    progress(descriptor, PushState::Mounted(from.clone()));
                    return Ok(());
                }
                Mount::Upload(url) => begun = Some(url),
                Mount::Refused => {}
            }
        }
        let mut failures = 0;
        loop {
            let at = match begun.take() {
                Some(url) => Ok(url),
                None => self.begin(session, target).await,
            };
            let sent = match at {
                Ok(at) => Sender { registry: self, session, target, descriptor, source, progress }.send(at).await,
                Err(kind) => Err(kind),
            };
            match sent {
                Ok(()) => break,
                Err(kind) => {
                    failures += 1;
                    let again = matches!(&kind, ErrorKind::Broken { .. } | ErrorKind::Timeout { .. })
                        || matches!(&kind, ErrorKind::Status { status: 500 | 502 | 503 | 504 | 416, .. });
                    if !again || failures > self.inner.options.retries {
                        return Err(kind);
                    }
                    tracing::debug!(digest = %descriptor.digest, error = %kind, "the upload begins anew");
                    tokio::time::sleep(backoff::delay(failures)).await;
                }
            }
        }
        progress(descriptor, PushState::Pushed);
        Ok(())
    }

    async fn has_blob(&self, session: &Session, target: &Target, descriptor: &Descriptor) -> Result<bool, ErrorKind> {
        let access = Access::to(&target.repository, &["pull", "push"]);
        let url = target.url(&["blobs", &descriptor.digest.to_string()])?;
        let answered = self.send(session, Call::new(Method::HEAD, target, &access, url)).await?;
        if answered.response.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        self.success(answered, "blob").await.map(|_| true)
    }

    async fn mount(
        &self,
        session: &Session,
        target: &Target,
        descriptor: &Descriptor,
        from: &str,
    ) -> Result<Mount, ErrorKind> {
        let access = Access::to(&target.repository, &["pull", "push"]).and_pull(from);
        let mut url = target.url(&["blobs", "uploads", ""])?;
        url.query_pairs_mut().append_pair("mount", &descriptor.digest.to_string()).append_pair("from", from);
        let answered = match self.send(session, Call::new(Method::POST, target, &access, url)).await {
            Ok(answered) => answered,
            // Who may not read the other repository uploads instead.
            Err(ErrorKind::Unauthorized(_) | ErrorKind::Denied(_)) => return Ok(Mount::Refused),
            Err(kind) => return Err(kind),
        };
        match answered.response.status() {
            StatusCode::CREATED => Ok(Mount::Done),
            StatusCode::ACCEPTED => location(&answered).map(Mount::Upload),
            _ => Ok(Mount::Refused),
        }
    }

    async fn begin(&self, session: &Session, target: &Target) -> Result<Url, ErrorKind> {
        let access = Access::to(&target.repository, &["pull", "push"]);
        let url = target.url(&["blobs", "uploads", ""])?;
        let answered = self.send(session, Call::new(Method::POST, target, &access, url)).await?;
        location(&self.success(answered, "repository").await?)
    }
}

enum Mount {
    Done,
    Upload(Url),
    Refused,
}

/// Where an upload goes on. Its origin may be another one: `exchange` then leaves the credential behind.
fn location(answered: &Answered) -> Result<Url, ErrorKind> {
    let text = answered.response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
    let text = text.ok_or_else(|| ErrorKind::Protocol("an upload without a location".to_owned()))?;
    follow(&answered.url, text)
}

/// One upload, from its location on.
struct Sender<'a> {
    registry: &'a Registry,
    session: &'a Session,
    target: &'a Target,
    descriptor: &'a Descriptor,
    source: &'a dyn BlobSource,
    progress: Progress<'a>,
}

impl Sender<'_> {
    async fn send(&self, mut at: Url) -> Result<(), ErrorKind> {
        let size = self.descriptor.size;
        let chunk = self.registry.inner.options.upload_chunk.max(1);
        let mut offset = 0;
        // All but the last piece go by PATCH; the last, or only, one goes with the PUT that closes the upload.
        while size - offset > chunk {
            let answered = self.piece(Method::PATCH, at, offset, chunk).await?;
            at = location(&self.registry.success(answered, "upload").await?)?;
            offset += chunk;
        }
        at.query_pairs_mut().append_pair("digest", &self.descriptor.digest.to_string());
        let answered = self.piece(Method::PUT, at, offset, size - offset).await?;
        self.registry.success(answered, "upload").await.map(drop)
    }

    async fn piece(&self, method: Method, at: Url, offset: u64, length: u64) -> Result<Answered, ErrorKind> {
        let open = || -> BoxFuture<'_, Result<Upload, ErrorKind>> { Box::pin(self.open(offset, length)) };
        let sent = |taken| (self.progress)(self.descriptor, PushState::Uploading(offset + taken));
        let access = Access::to(&self.target.repository, &["pull", "push"]);
        let chunked = method == Method::PATCH || offset > 0;
        let mut call = Call::new(method, self.target, &access, at)
            .header(CONTENT_TYPE, "application/octet-stream")?
            .payload(Payload::Stream { length, open: &open, sent: &sent });
        if chunked {
            call = call.header(CONTENT_RANGE, &format!("{offset}-{}", (offset + length).saturating_sub(1)))?;
        }
        self.registry.send(self.session, call).await
    }

    /// `length` bytes of the blob from `offset` on, which tell how far they were taken.
    async fn open(&self, offset: u64, length: u64) -> Result<Upload, ErrorKind> {
        let reader = self.source.open(self.descriptor, offset).await.map_err(ErrorKind::Source)?;
        let (told, taken) = watch::channel(0_u64);
        let mut left = length;
        let bounded = reader.map(move |piece| {
            let mut piece: Bytes = piece?;
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX).min(piece.len()));
            left -= piece.len() as u64;
            told.send_replace(length - left);
            io::Result::Ok(piece)
        });
        let body = reqwest::Body::wrap_stream(bounded.take_while(|p| {
            let more = !matches!(p, Ok(piece) if piece.is_empty());
            std::future::ready(more)
        }));
        Ok(Upload { body, taken })
    }
}
