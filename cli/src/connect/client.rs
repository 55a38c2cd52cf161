//! Requests and answers.

use super::{Autostart, Call, Host, dial, upload::Payload};
use crate::error::{Error, Result};
use bytes::{Bytes, BytesMut};
use davit_api_types::{API_VERSION, failure::Failure, stream};
use http_body_util::{BodyExt, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;

/// Most bytes of an answer that is read whole.
const ANSWER: usize = 256 << 20;
/// Most bytes of one line of progress.
const LINE: usize = 16 << 20;
/// How long the rest of an ordinary answer may take once its head is here.
const BODY: Duration = Duration::from_secs(300);

/// The daemon, as requests see it.
#[derive(Debug)]
pub(crate) struct Client {
    host: Host,
    autostart: Option<Autostart>,
}

/// A connection taken over from HTTP.
pub(crate) struct Hijacked {
    pub(crate) io: TokioIo<hyper::upgrade::Upgraded>,
    /// Whether the bytes are in frames; none where the daemon did not say.
    pub(crate) framed: Option<bool>,
}

impl Client {
    pub(crate) fn new(host: Host, autostart: Option<Autostart>) -> Self {
        Self { host, autostart }
    }

    /// A byte stream to the daemon; where there is none and it may be started, it is.
    pub(crate) async fn stream(&self) -> Result<Box<dyn super::Duplex>> {
        use std::io::ErrorKind::{ConnectionRefused, NotFound};
        let connect = |source| Error::Connect { host: self.host.to_string(), source };
        let refusal = match dial(&self.host).await {
            Ok(stream) => return Ok(stream),
            Err(refusal) => refusal,
        };
        self.host.check_place()?;
        match &self.autostart {
            Some(autostart) if matches!(refusal.kind(), NotFound | ConnectionRefused) => {
                autostart.start().await?;
                dial(&self.host).await.map_err(connect)
            }
            _ => Err(connect(refusal)),
        }
    }

    /// Sends a request; an answer outside 2xx, 101 and 304 is an error.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Incoming>> {
        let name = name(&call);
        let patience = call.patience;
        match tokio::time::timeout(patience, self.exchange(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Deadline { request: name, seconds: patience.as_secs() }),
        }
    }

    async fn exchange(&self, call: Call) -> Result<Response<Incoming>> {
        let http = |source| Error::Http { request: name(&call), source };
        let stream = self.stream().await?;
        let (mut sender, connection) = http1::handshake::<_, Payload>(TokioIo::new(stream)).await.map_err(http)?;
        // Ends with the answer; its errors arrive there too.
        tokio::spawn(connection.with_upgrades());

        let mut request = Request::builder()
            .method(&call.method)
            .uri(call.target(API_VERSION))
            .header(header::HOST, "davit")
            .header(header::USER_AGENT, concat!("davit/", env!("CARGO_PKG_VERSION")));
        for (key, value) in &call.headers {
            request = request.header(*key, value);
        }
        let request = request.body(call.payload()).map_err(|e| Error::usage(format!("{}: {e}", name(&call))))?;
        let answer = sender.send_request(request).await.map_err(http)?;

        let status = answer.status();
        if status.is_success() || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NOT_MODIFIED) {
            return Ok(answer);
        }
        let body = self.whole(&call, answer).await?;
        let message = serde_json::from_slice::<Failure>(&body)
            .map(|f| f.message)
            .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned());
        let message = match message.trim() {
            "" => status.to_string(),
            text => text.to_owned(),
        };
        Err(Error::Refused { status: status.as_u16(), message })
    }

    async fn whole(&self, call: &Call, answer: Response<Incoming>) -> Result<Bytes> {
        let body = Limited::new(answer.into_body(), ANSWER).collect();
        match tokio::time::timeout(BODY, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(e)) => Err(Error::Answer { request: name(call), reason: e.to_string() }),
            Err(_) => Err(Error::Deadline { request: name(call), seconds: BODY.as_secs() }),
        }
    }

    /// Sends a request whose answer says nothing but that it went well. `false`: it was so already (304).
    pub(crate) async fn done(&self, call: Call) -> Result<bool> {
        let answer = self.send(call.clone()).await?;
        let changed = answer.status() != StatusCode::NOT_MODIFIED;
        self.whole(&call, answer).await?;
        Ok(changed)
    }

    /// Sends a request and reads the answer as JSON; an empty one is null.
    pub(crate) async fn value(&self, call: Call) -> Result<Value> {
        let answer = self.send(call.clone()).await?;
        let body = self.whole(&call, answer).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|e| Error::Answer { request: name(&call), reason: e.to_string() })
    }

    /// Sends a request and reads the answer whole, whatever it is.
    pub(crate) async fn bytes(&self, call: Call) -> Result<Bytes> {
        let answer = self.send(call.clone()).await?;
        self.whole(&call, answer).await
    }

    /// Sends a request and hands each JSON line of its answer to `sink`, as it comes.
    pub(crate) async fn lines(&self, call: Call, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut body = self.send(call.clone()).await?.into_body();
        let mut buffer = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| Error::Http { request: name(&call), source })?;
            let Ok(data) = frame.into_data() else { continue };
            buffer.extend_from_slice(&data);
            while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
                let line = buffer.split_to(end + 1);
                if !line.trim_ascii().is_empty() {
                    sink(line.trim_ascii())?;
                }
            }
            if buffer.len() > LINE {
                return Err(Error::Answer { request: name(&call), reason: "a line without an end".to_owned() });
            }
        }
        if buffer.trim_ascii().is_empty() { Ok(()) } else { sink(buffer.trim_ascii()) }
    }

    /// Sends a request and takes its connection over.
    pub(crate) async fn hijack(&self, call: Call) -> Result<Hijacked> {
        let request = name(&call);
        let call = call.header("connection", "Upgrade".to_owned()).header("upgrade", "tcp".to_owned());
        let answer = self.send(call).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let reason = format!("{} where the connection should have been handed over", answer.status());
            return Err(Error::Answer { request, reason });
        }
        let framed = match answer.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) {
            Some(stream::MULTIPLEXED) => Some(true),
            _ => None,
        };
        let io = hyper::upgrade::on(answer).await.map_err(|source| Error::Http { request, source })?;
        Ok(Hijacked { io: TokioIo::new(io), framed })
    }
}

fn name(call: &Call) -> String {
    format!("{} {}", call.method, call.path)
}
