//! The other end of a connection: who it is, and whether it is still there.

use davit_model::id::Caller;
use std::{io, os::fd::AsFd, sync::Arc};
use tokio::{io::Interest, net::UnixStream};

/// Who is at the other end. Cheap to clone; handlers find it in a request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Who calls.
    pub(crate) caller: Caller,
    gone: Gone,
}

impl Peer {
    /// The peer of a unix connection: the kernel vouches for its user id.
    pub(crate) fn of_unix(stream: &UnixStream) -> io::Result<Self> {
        let uid = stream.peer_cred()?.uid();
        Ok(Self { caller: Caller(format!("uid:{uid}")), gone: Gone::watch(stream)? })
    }

    /// Tells when the peer has left.
    pub(crate) fn gone(&self) -> Gone {
        self.gone.clone()
    }
}

/// Sees a peer leave without reading. A peer that only ended its own sending is still there: nothing but the
/// descriptor's hang-up counts.
#[derive(Clone, Debug)]
pub(crate) struct Gone(Arc<UnixStream>);

impl Gone {
    /// Watches a duplicate of the descriptor, because hyper owns the stream.
    fn watch(stream: &UnixStream) -> io::Result<Self> {
        let duplicate = stream.as_fd().try_clone_to_owned()?;
        Ok(Self(Arc::new(UnixStream::from_std(duplicate.into())?)))
    }

    /// Returns when the peer has closed its socket.
    pub(crate) async fn wait(&self) {
        loop {
            match self.0.ready(Interest::WRITABLE).await {
                Ok(ready) if !ready.is_write_closed() => {
                    // Room to write is no news: forgetting it makes the next wait one for an event.
                    let forget = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                    let _ = self.0.try_io(Interest::WRITABLE, forget);
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{io::AsyncWriteExt, time::timeout};

    #[tokio::test]
    async fn half_a_close_is_not_gone_but_a_whole_one_is() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let gone = Gone::watch(&far).unwrap();
        near.write_all(b"unread").await.unwrap();
        near.shutdown().await.unwrap();
        assert!(timeout(Duration::from_millis(100), gone.wait()).await.is_err());
        drop(near);
        timeout(Duration::from_secs(5), gone.wait()).await.unwrap();
    }

    #[tokio::test]
    async fn the_caller_is_the_user_of_the_other_process() {
        let (_near, far) = UnixStream::pair().unwrap();
        assert_eq!(Peer::of_unix(&far).unwrap().caller.0, format!("uid:{}", nix::unistd::getuid()));
    }
}
