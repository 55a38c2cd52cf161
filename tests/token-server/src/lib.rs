//! A token server for tests, with a registry front that checks its tokens (distribution project: "Token
//! Authentication Specification", "OAuth2 Token Authentication").
//!
//! Debian's `docker-registry` is the content; it knows only Basic, so it runs open on a port of its own and the front
//! stands before it: the front demands Bearer, names the token server as its realm, checks what the token allows and
//! hands the request on. Tokens are opaque, random, and end after their time.
//!
//! As a program (`davit-token-server --help`):
//!
//! | flag | meaning |
//! |---|---|
//! | `--upstream URL` | the open registry, e.g. `http://127.0.0.1:5001` |
//! | `--listen ADDR` | where the front listens (default `127.0.0.1:0`) |
//! | `--token-listen ADDR` | where tokens are issued (default `127.0.0.1:0`) |
//! | `--user NAME:PASSWORD[:GRANT…]` | a user; repeatable. A grant is `PATTERN=ACTION,ACTION`, e.g. `demo/*=pull,push`; grants are separated by `;`; without any the user may do everything |
//! | `--refresh-token NAME:TOKEN` | a refresh (identity) token of a user; repeatable |
//! | `--subject-token NAME:TOKEN` | a token of another identity (a workload's, say) that may be exchanged for what a user may do; repeatable |
//! | `--anonymous GRANT` | what nobody in particular may do; repeatable |
//! | `--service NAME` | the service's name (default `davit-test`) |
//! | `--expires SECONDS` | how long a token is valid (default 60) |
//! | `--switch-realm URL --switch-after N` | after N challenges the front names another realm, as a registry that was taken over would |
//! | `--redirect-blobs` | blobs are answered by a redirect to a third origin |
//!
//! When it is ready it prints one line of JSON: `{"registry": "127.0.0.1:…", "realm": "http://…/token",
//! "exchange": "http://…/exchange", "storage": "127.0.0.1:…"}`. At `exchange` a subject token is traded for one of the
//! registry (RFC 8693; the audience is the service's name). `GET /log` at the token server's address lists what was asked, without secrets.
//! It ends with the process that started it when its standard input is closed and `--until-eof` was given.

mod exchange;
mod front;
mod issue;
mod scope;
mod state;
mod storage;

pub use scope::Grant;
pub use state::{Config, Event, User};

use axum::Router;
use state::State;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, task::JoinHandle};

/// A running token server, front and storage; all end with this value.
#[derive(Debug)]
pub struct Running {
    /// The front: the registry as clients know it.
    pub registry: SocketAddr,
    /// Where tokens are issued.
    pub tokens: SocketAddr,
    /// The third origin, which blobs are redirected to.
    pub storage: SocketAddr,
    state: Arc<State>,
    tasks: Vec<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Starts it on the running tokio runtime.
    pub async fn start(config: Config) -> io::Result<Self> {
        let front = TcpListener::bind(config.listen).await?;
        let issuer = TcpListener::bind(config.token_listen).await?;
        let storage = TcpListener::bind("127.0.0.1:0").await?;
        let at = (front.local_addr()?, issuer.local_addr()?, storage.local_addr()?);
        let state = Arc::new(State::new(config, format!("http://{}/token", at.1), at.2));
        let serve = |listener: TcpListener, router: Router| tokio::spawn(axum::serve(listener, router).into_future());
        let tasks = vec![
            serve(front, front::router(state.clone())),
            serve(issuer, issue::router(state.clone()).merge(exchange::router(state.clone()))),
            serve(storage, storage::router(state.clone())),
        ];
        Ok(Self { registry: at.0, tokens: at.1, storage: at.2, state, tasks })
    }

    /// The realm that the front names.
    pub fn realm(&self) -> String {
        self.state.realm()
    }

    /// Where subject tokens are exchanged.
    pub fn exchange(&self) -> String {
        format!("http://{}/exchange", self.tokens)
    }

    /// From now on the front names this realm.
    pub fn set_realm(&self, realm: &str) {
        self.state.set_realm(realm);
    }

    /// Ends every token that was issued.
    pub fn expire_all(&self) {
        self.state.expire_all();
    }

    /// What happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.state.events()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
