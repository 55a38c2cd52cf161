//! `build`, as Docker's old builder takes it: the context is the request's body.

use super::{Answer, images::reference};
use crate::{
    extract::{Caller, Params, credential},
    failure::ApiError,
    stream,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use bytes::Bytes;
use davit_api_types::{
    auth::{CONFIG_HEADER, decode_config},
    progress::Progress as Line,
};
use davit_engine::{BuildLine, BuildOptions, BuildStream, Engine, EngineError};
use davit_model::auth::Credential;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::Write as _,
    time::Duration,
};

/// How long a client may send nothing of its context.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn build(
    State(engine): State<Engine>,
    Caller(caller): Caller,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let options = options(&params)?;
    let credentials = credentials(&headers)?;
    let context = spool(engine.scratch().await?, body).await?;
    let lines = engine.build(&caller, context, options, credentials).await?;
    answer(lines, params.flag("q")).await
}

/// What a client asks for. What concerns commands that a build runs needs no answer where none is run.
fn options(params: &Params) -> Answer<BuildOptions> {
    if params.get("version") == Some("2") {
        let why = "BuildKit's protocol is not supported by this engine: set DOCKER_BUILDKIT=0";
        return Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, why));
    }
    for (name, what) in [("remote", "building from a URL or a repository"), ("outputs", "an output that is no image")] {
        if params.get(name).is_some_and(|value| value != "[]") {
            return Err(ApiError::not_implemented(what));
        }
    }
    if params.flag("squash") {
        return Err(ApiError::not_implemented("squashing an image"));
    }
    let args: BTreeMap<String, Option<String>> = json(params, "buildargs")?;
    Ok(BuildOptions {
        dockerfile: params.get("dockerfile").unwrap_or_default().to_owned(),
        target: params.get("target").map(str::to_owned),
        // A null stands for a variable that the client's environment does not have.
        args: args.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        labels: json(params, "labels")?,
        tags: params.all("t").map(|tag| reference(tag, None)).collect::<Result<_, _>>()?,
        pull: params.flag("pull"),
        platform: params.get("platform").map(str::to_owned),
    })
}

/// A parameter in JSON; absent and null are the same.
fn json<T: DeserializeOwned + Default>(params: &Params, name: &str) -> Answer<T> {
    let Some(text) = params.get(name) else { return Ok(T::default()) };
    let read: Option<T> =
        serde_json::from_str(text).map_err(|e| ApiError::invalid(format!("invalid value for {name}: {e}")))?;
    Ok(read.unwrap_or_default())
}

fn credentials(headers: &HeaderMap) -> Answer<BTreeMap<String, Credential>> {
    let Some(value) = headers.get(CONFIG_HEADER) else { return Ok(BTreeMap::new()) };
    let bad = || ApiError::invalid(format!("invalid {CONFIG_HEADER} header"));
    let read = decode_config(value.to_str().map_err(|_| bad())?).map_err(|_| bad())?;
    let bound = read.into_iter().filter_map(|(server, auth)| Some((server.clone(), credential(auth, &server)?)));
    Ok(bound.collect())
}

/// Takes the body into a file, as it comes.
async fn spool(file: File, mut body: Body) -> Answer<File> {
    let failed = |e: &dyn std::fmt::Display| ApiError::invalid(format!("reading the build context: {e}"));
    let mut file = file;
    loop {
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await;
        let frame = frame.map_err(|_| failed(&format!("nothing came for {} s", PATIENCE.as_secs())))?;
        let Some(frame) = frame else { return Ok(file) };
        let Ok(bytes) = frame.map_err(|e| failed(&e))?.into_data() else { continue };
        let written = tokio::task::spawn_blocking(move || file.write_all(&bytes).map(|()| file)).await;
        let written = written.map_err(|e| EngineError::internal("keeping the build context", e))?;
        file = written.map_err(|e| EngineError::internal("keeping the build context", e))?;
    }
}

/// Streams what the build says. An error before anything else is an error of the whole request.
async fn answer(mut lines: BuildStream, quiet: bool) -> Answer {
    let mut first = VecDeque::new();
    match lines.next().await {
        Some(Err(e)) => return Err(e.into()),
        Some(Ok(line)) => first.extend(shown(line, quiet)),
        None => {}
    }
    Ok(stream::answer("application/json", (first, lines), move |(mut ready, mut lines)| async move {
        loop {
            if let Some(line) = ready.pop_front() {
                return Some((line, (ready, lines)));
            }
            match lines.next().await? {
                Ok(line) => ready.extend(shown(line, quiet)),
                Err(e) => ready.push_back(stream::line(&Line::failed(e.message()))),
            }
        }
    }))
}

/// The lines of one line. A quiet build says the image's id and nothing else.
fn shown(line: BuildLine, quiet: bool) -> Vec<Bytes> {
    let text = |stream: String| stream::line(&Line { stream: Some(stream), ..Line::default() });
    match line {
        BuildLine::Text(_) if quiet => Vec::new(),
        BuildLine::Text(said) => vec![text(said)],
        BuildLine::Image(id) => {
            let aux = stream::line(&Line::aux(serde_json::json!({"ID": id})));
            if quiet { vec![aux, text(format!("{id}\n"))] } else { vec![aux] }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{extract::FromRequestParts as _, http::Request};

    async fn params(query: &str) -> Params {
        let request = Request::builder().uri(format!("/build?{query}")).body(()).unwrap();
        Params::from_request_parts(&mut request.into_parts().0, &()).await.unwrap()
    }

    #[tokio::test]
    async fn what_the_docker_command_line_sends_is_understood() {
        // buildargs={"A":"1","B":null} labels={} cachefrom=[]
        let query = "t=a&t=b%3A2&dockerfile=D&q=&pull=1&rm=1&shmsize=0&networkmode=default&version=1&ulimits=null\
            &buildargs=%7B%22A%22%3A%221%22%2C%22B%22%3Anull%7D&labels=%7B%7D&cachefrom=%5B%5D&target=t";
        let options = options(&params(query).await).unwrap();
        assert_eq!(options.tags.iter().map(|t| t.familiar()).collect::<Vec<_>>(), ["a:latest", "b:2"]);
        assert_eq!(options.args, BTreeMap::from([("A".to_owned(), "1".to_owned())]));
        assert_eq!((options.dockerfile.as_str(), options.target.as_deref(), options.pull), ("D", Some("t"), true));
    }

    #[tokio::test]
    async fn what_cannot_be_done_is_refused() {
        for (query, why) in [
            ("version=2", "set DOCKER_BUILDKIT=0"),
            ("remote=https%3A%2F%2Fx", "from a URL"),
            ("squash=1", "squashing"),
            ("t=Bad", "invalid reference format"),
            ("buildargs=x", "invalid value for buildargs"),
        ] {
            let error = options(&params(query).await).unwrap_err().to_string();
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[test]
    fn a_quiet_build_says_the_id() {
        let id: davit_model::digest::Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        assert!(shown(BuildLine::Text("Step 1/1 : FROM scratch\n".into()), true).is_empty());
        let lines: Vec<String> =
            shown(BuildLine::Image(id.clone()), true).iter().map(|l| String::from_utf8_lossy(l).into_owned()).collect();
        assert_eq!(lines, [format!("{{\"aux\":{{\"ID\":\"{id}\"}}}}\r\n"), format!("{{\"stream\":\"{id}\\n\"}}\r\n"),]);
    }
}
