//! What the driver talks through: TLS or the bare connection, with COPY data in few messages.
//!
//! The driver lets others put something between itself and a connection in one place only, where TLS goes. So a bare
//! connection goes there too: to the driver it is TLS that begins at once ([`Streams::bare`]).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::config::{Config, SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::merged::Merged;

type Secure = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Makes streams of connections.
#[derive(Clone)]
pub(super) struct Streams {
    tls: MakeRustlsConnect,
    bare: bool,
    used: Arc<AtomicBool>,
}

impl Streams {
    /// With TLS.
    pub(super) fn secure(tls: MakeRustlsConnect) -> Self {
        Self { tls, bare: false, used: Arc::default() }
    }

    /// Without TLS: makes `config` take the connection itself for TLS.
    pub(super) fn bare(tls: MakeRustlsConnect, config: &mut Config) -> Self {
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        Self { tls, bare: true, used: Arc::default() }
    }

    /// A connection goes through here. Else the server has no TLS, and the driver does without.
    pub(super) fn used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}

impl MakeTlsConnect<Socket> for Streams {
    type Stream = Stream;
    type TlsConnect = Connect;
    type Error = Failure;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Connect, Failure> {
        let tls = if self.bare {
            None
        } else {
            Some(MakeTlsConnect::<Socket>::make_tls_connect(&mut self.tls, domain)?)
        };
        Ok(Connect { tls, used: self.used.clone() })
    }
}

/// Makes one connection a stream.
pub(super) struct Connect {
    tls: Option<<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect>,
    used: Arc<AtomicBool>,
}

impl TlsConnect<Socket> for Connect {
    type Stream = Stream;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Stream, Failure>>;

    fn connect(self, socket: Socket) -> Self::Future {
        self.used.store(true, Ordering::Relaxed);
        match self.tls {
            None => std::future::ready(Ok(Stream::Bare(Merged::new(socket)))).boxed(),
            Some(tls) => {
                let secured = tls.connect(socket);
                async move { Ok(Stream::Secure(Box::new(Merged::new(secured.await?)))) }.boxed()
            }
        }
    }
}

/// What bytes go through.
pub(super) enum Stream {
    Bare(Merged<Socket>),
    Secure(Box<Merged<Secure>>),
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        match self {
            Self::Bare(_) => ChannelBinding::none(),
            Self::Secure(stream) => stream.inner().channel_binding(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(stream) => Pin::new(stream).poll_read(context, out),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_read(context, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Bare(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(stream) => Pin::new(stream).poll_flush(context),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Secure(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
