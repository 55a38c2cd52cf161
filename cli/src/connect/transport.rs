//! A byte stream to the daemon, whatever it runs through.

use super::{host::Host, tls};
use std::{
    io,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// Bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Opens a stream to the daemon.
pub(crate) async fn dial(host: &Host) -> io::Result<Box<dyn Duplex>> {
    Ok(match host {
        Host::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Host::Tcp { name, port, tls } => {
            let stream = TcpStream::connect((name.trim_matches(['[', ']']), *port)).await?;
            stream.set_nodelay(true)?;
            Box::new(tls::wrap(stream, name, tls).await?)
        }
        Host::Ssh { destination, port, socket } => Box::new(Ssh::spawn(destination, *port, socket.as_deref())?),
    })
}

/// OpenSSH with `davit system dial-stdio` at the other end. Its own configuration decides on multiplexing and keys.
struct Ssh {
    /// Kept so that it is killed with the stream.
    _child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Ssh {
    fn spawn(destination: &str, port: Option<u16>, socket: Option<&str>) -> io::Result<Self> {
        let mut command = Command::new("ssh");
        if let Some(port) = port {
            command.arg("-p").arg(port.to_string());
        }
        command.args(["-o", "ConnectTimeout=30", "-T", "--", destination, "davit"]);
        if let Some(socket) = socket {
            command.arg("-H").arg(format!("unix://{socket}"));
        }
        let mut child = command
            .args(["system", "dial-stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("ssh without pipes");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        Ok(Self { _child: child, input, output })
    }
}

impl AsyncRead for Ssh {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buf)
    }
}

impl AsyncWrite for Ssh {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}
