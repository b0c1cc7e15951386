//! A TCP proxy in front of a server, to take the network away: it cuts connections, now or after some bytes, lets them
//! stall, refuses new ones, and puts a distance between both ends. Plain threads; all end when the [`Proxy`] is dropped.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What no cut is planned means.
const NEVER: i64 = i64::MAX;

/// So many pieces may be under way at once in each direction.
const UNDER_WAY: usize = 4000;

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    /// Where every second connection leads.
    other: Mutex<Option<SocketAddr>>,
    /// Both ends of every connection, by its number.
    open: Mutex<BTreeMap<u64, (TcpStream, TcpStream)>>,
    refusing: AtomicBool,
    stalled: AtomicBool,
    over: AtomicBool,
    /// Microseconds from one end to the other.
    delay: AtomicU64,
    /// Bytes that may still pass before everything is cut.
    left: AtomicI64,
    passed: AtomicU64,
    cuts: AtomicU64,
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    state: Arc<State>,
    address: SocketAddr,
    listener: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free port of this machine for the server of `uri`; gives the proxy and the URI that leads through
    /// it.
    ///
    /// # Errors
    /// Where the URI names no host and port, or no port is free.
    pub fn start(uri: &str) -> io::Result<(Self, String)> {
        let (start, server) = server_of(uri)?;
        let (rest, end) = (uri.get(start..).unwrap_or_default(), server.len());
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            upstream: server.parse().map_err(|_| unfit())?,
            other: Mutex::default(),
            open: Mutex::default(),
            refusing: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            over: AtomicBool::new(false),
            delay: AtomicU64::new(0),
            left: AtomicI64::new(NEVER),
            passed: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
        });
        let shared = state.clone();
        let listener = thread::spawn(move || listen(&listener, &shared));
        let through = format!(
            "{}{address}{}",
            uri.get(..start).unwrap_or_default(),
            rest.get(end..).unwrap_or_default()
        );
        Ok((Self { state, address, listener: Some(listener) }, through))
    }

    /// Leads every second connection to the server of `uri`, as a balancer of readers does.
    ///
    /// # Errors
    /// Where the URI names no host and port.
    pub fn balance(&self, uri: &str) -> io::Result<()> {
        let (_, server) = server_of(uri)?;
        let server = server.parse().map_err(|_| unfit())?;
        *self.state.other.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.state.cut();
    }

    /// Cuts every connection as soon as so many more bytes have passed, once.
    pub fn cut_after(&self, bytes: u64) {
        self.state.left.store(i64::try_from(bytes).unwrap_or(NEVER), Ordering::SeqCst);
    }

    /// Lets no byte pass, and keeps the connections; or lets them pass again.
    pub fn stall(&self, stalled: bool) {
        self.state.stalled.store(stalled, Ordering::SeqCst);
    }

    /// Lets every byte arrive so much later, in both directions: a round trip takes twice as long. What is under way when
    /// everything is cut does not arrive.
    pub fn delay(&self, one_way: Duration) {
        self.state.delay.store(u64::try_from(one_way.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Closes new connections at once; or takes them again.
    pub fn refuse(&self, refusing: bool) {
        self.state.refusing.store(refusing, Ordering::SeqCst);
    }

    /// Bytes that have passed, both ways.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }

    /// How often everything was cut while there was something to cut.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

fn unfit() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the URI names no address and port")
}

/// Where the address and port of a URI's server begin, and what they are.
fn server_of(uri: &str) -> io::Result<(usize, &str)> {
    let after = uri.rfind('@').map_or_else(|| uri.find("://").map(|at| at + 3), |at| Some(at + 1));
    let start = after.ok_or_else(unfit)?;
    let rest = uri.get(start..).ok_or_else(unfit)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    Ok((start, rest.get(..end).unwrap_or_default()))
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.state.cut();
        // The listener wakes up and sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

impl State {
    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, (TcpStream, TcpStream)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        self.left.store(NEVER, Ordering::SeqCst);
        let open = std::mem::take(&mut *self.open());
        if !open.is_empty() {
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        for (client, server) in open.into_values() {
            drop(client.shutdown(Shutdown::Both));
            drop(server.shutdown(Shutdown::Both));
        }
    }
}

fn listen(listener: &TcpListener, state: &Arc<State>) {
    for (number, client) in (0..).zip(listener.incoming()) {
        if state.over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        if state.refusing.load(Ordering::SeqCst) {
            continue;
        }
        // Where the server is down, the client sees a connection that closes.
        let other = *state.other.lock().unwrap_or_else(PoisonError::into_inner);
        let upstream = other.filter(|_| number % 2 == 1).unwrap_or(state.upstream);
        let Ok(server) = TcpStream::connect(upstream) else { continue };
        drop(forward(number, client, server, state));
    }
}

fn forward(number: u64, client: TcpStream, server: TcpStream, state: &Arc<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    state.open().insert(number, (client.try_clone()?, server.try_clone()?));
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        let state = state.clone();
        thread::spawn(move || {
            let (sender, receiver) = mpsc::sync_channel(UNDER_WAY);
            let arriving = to.try_clone().map(|to| thread::spawn(move || arrive(to, &receiver)));
            let mut from = from;
            drop(pump(&mut from, &sender, &state));
            drop(sender);
            if let Ok(arriving) = arriving {
                drop(arriving.join());
            }
            drop(from.shutdown(Shutdown::Both));
            drop(to.shutdown(Shutdown::Both));
            state.open().remove(&number);
        });
    }
    Ok(())
}

/// Writes what has come, each piece at its time.
fn arrive(mut to: TcpStream, pieces: &Receiver<(Instant, Vec<u8>)>) -> io::Result<()> {
    for (at, piece) in pieces {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        to.write_all(&piece)?;
    }
    Ok(())
}

fn pump(from: &mut TcpStream, to: &SyncSender<(Instant, Vec<u8>)>, state: &State) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut buffer)?;
        while state.stalled.load(Ordering::SeqCst) && !state.over.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(10));
        }
        if count == 0 {
            return Ok(());
        }
        let size = i64::try_from(count).unwrap_or(NEVER);
        if state.left.load(Ordering::SeqCst) != NEVER && state.left.fetch_sub(size, Ordering::SeqCst) <= size
        {
            state.cut();
            return Ok(());
        }
        // Before they can be seen at the other side.
        state.passed.fetch_add(count as u64, Ordering::SeqCst);
        let at = Instant::now() + Duration::from_micros(state.delay.load(Ordering::SeqCst));
        let piece = buffer.get(..count).unwrap_or_default().to_vec();
        to.send((at, piece)).map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut from = stream.try_clone()?;
                    let mut to = stream;
                    io::copy(&mut from, &mut to)
                });
            }
        });
        Ok(address)
    }

    fn say(stream: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(text)?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn it_forwards_cuts_stalls_and_refuses() -> io::Result<()> {
        let (proxy, uri) = Proxy::start(&format!("postgres://user:secret@{}/db?a=b", echo()?))?;
        assert!(uri.starts_with("postgres://user:secret@127.0.0.1:") && uri.ends_with("/db?a=b"), "{uri}");
        let mut stream = TcpStream::connect(proxy.address)?;
        assert_eq!(say(&mut stream, b"hello")?, b"hello");
        assert_eq!(proxy.passed(), 10);

        proxy.stall(true);
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        assert!(say(&mut stream, b"x").is_err());
        proxy.stall(false);
        stream.set_read_timeout(None)?;
        stream.read_exact(&mut [0])?;

        proxy.delay(Duration::from_millis(40));
        let sent = Instant::now();
        assert_eq!(say(&mut stream, b"far")?, b"far");
        assert!(sent.elapsed() >= Duration::from_millis(80));
        proxy.delay(Duration::ZERO);

        proxy.cut();
        assert!(say(&mut stream, b"x").is_err());
        let mut stream = TcpStream::connect(proxy.address)?;
        proxy.cut_after(100);
        assert!((0..100).any(|_| say(&mut stream, b"0123456789").is_err()));
        assert_eq!(proxy.cuts(), 2);

        proxy.refuse(true);
        let mut stream = TcpStream::connect(proxy.address)?;
        assert!(say(&mut stream, b"x").is_err());
        proxy.refuse(false);
        let mut stream = TcpStream::connect(proxy.address)?;
        assert_eq!(say(&mut stream, b"y")?, b"y");
        Ok(())
    }
}
