//! COPY data in few messages.
//!
//! A server sends a message for each row of a COPY (PostgreSQL's `src/backend/commands/copyto.c`, `CopySendEndOfRow`), and
//! the driver takes each one apart: some hundred nanoseconds a row. To who passes rows on, where one message ends and
//! the next begins says nothing (protocol documentation, "COPY Operations"). Here all `CopyData` messages that are at
//! hand become one before the driver sees them. Whatever else the server says goes through as it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `CopyData`.
const COPY_DATA: u8 = b'd';
/// A message's type, and its length in four bytes, which count themselves.
const HEADER: usize = 5;
/// As much is asked of the other side at once.
const READ: usize = 64 << 10;

/// A connection whose `CopyData` messages arrive merged.
pub(super) struct Merged<S> {
    inner: S,
    messages: Messages,
}

impl<S> Merged<S> {
    /// Before the server has said anything.
    pub(super) fn new(inner: S) -> Self {
        Self { inner, messages: Messages::default() }
    }

    /// The connection itself.
    pub(super) fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Merged<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { inner, messages } = self.get_mut();
        let before = out.filled().len();
        loop {
            messages.pass_on(out);
            if out.filled().len() > before || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut more = ReadBuf::new(messages.room());
            ready!(Pin::new(&mut *inner).poll_read(context, &mut more))?;
            let read = more.filled().len();
            if read == 0 && messages.is_empty() {
                return Poll::Ready(Ok(()));
            }
            messages.arrived(read);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Merged<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

/// What the server has said and nobody has read yet.
#[derive(Default)]
struct Messages {
    buffer: Vec<u8>,
    /// Where the bytes in it begin, and where they end.
    start: usize,
    end: usize,
    /// So many bytes go through as they are: the rest of a message.
    through: usize,
}

impl Messages {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Where more bytes go. There is always room: what is kept back is less than a message that fits.
    fn room(&mut self) -> &mut [u8] {
        if self.buffer.is_empty() {
            self.buffer.resize(READ, 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes are there; none: the server has closed the connection, perhaps within a message.
    fn arrived(&mut self, bytes: usize) {
        self.end += bytes;
        if bytes == 0 {
            self.through = usize::MAX;
        }
    }

    fn pass_on(&mut self, out: &mut ReadBuf<'_>) {
        loop {
            let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
            if self.through > 0 {
                let part = waiting.len().min(self.through).min(out.remaining());
                out.put_slice(waiting.get(..part).unwrap_or_default());
                self.start += part;
                if self.through != usize::MAX {
                    self.through -= part;
                }
                if self.through > 0 || part == 0 {
                    return;
                }
                continue;
            }
            let Some(message) = Message::first(waiting) else { return };
            if message.kind != COPY_DATA || message.length > READ {
                self.through = message.length;
                continue;
            }
            if waiting.len() < message.length {
                return;
            }
            match merge(waiting, out) {
                Some(taken) => self.start += taken,
                // It is for the caller to make room, which it does where it holds a part of a message.
                None => self.through = message.length,
            }
        }
    }
}

/// The first message's type, and its length with its header.
struct Message {
    kind: u8,
    length: usize,
}

impl Message {
    /// None where its header is not there yet.
    fn first(bytes: &[u8]) -> Option<Self> {
        let (&[kind, a, b, c, d], _) = bytes.split_first_chunk::<HEADER>()?;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        // A length that cannot be is for the driver to refuse: it gets everything from there on.
        Some(Self { kind, length: if length < HEADER - 1 { usize::MAX } else { length + 1 } })
    }
}

/// Makes one message of the whole `CopyData` messages that `bytes` begins with, as many as `out` takes; returns how many
/// bytes they were. None where `out` does not even take the first.
fn merge(bytes: &[u8], out: &mut ReadBuf<'_>) -> Option<usize> {
    let room = out.remaining();
    let (mut taken, mut payload) = (0, 0);
    while let Some(message) = bytes.get(taken..).and_then(Message::first) {
        let whole = message.kind == COPY_DATA && message.length <= bytes.len() - taken;
        if !whole || HEADER + payload + (message.length - HEADER) > room {
            break;
        }
        payload += message.length - HEADER;
        taken += message.length;
    }
    if taken == 0 {
        return None;
    }
    // Not more than READ, or `first` would not have found it whole.
    let length = u32::try_from(payload + HEADER - 1).ok()?;
    out.put_slice(&[COPY_DATA]);
    out.put_slice(&length.to_be_bytes());
    let mut rest = bytes.get(..taken)?;
    while let Some(message) = Message::first(rest) {
        out.put_slice(rest.get(HEADER..message.length)?);
        rest = rest.get(message.length..)?;
    }
    Some(taken)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 4).unwrap();
        [&[kind][..], &length.to_be_bytes(), payload].concat()
    }

    /// Types and payloads of messages, those of `CopyData` that follow each other as one.
    fn read(mut bytes: &[u8]) -> (Vec<(u8, Vec<u8>)>, usize) {
        let (mut all, mut count): (Vec<(u8, Vec<u8>)>, _) = (Vec::new(), 0);
        while let Some(first) = Message::first(bytes) {
            let payload = &bytes[HEADER..first.length];
            match all.last_mut() {
                Some((COPY_DATA, before)) if first.kind == COPY_DATA => before.extend_from_slice(payload),
                _ => all.push((first.kind, payload.to_vec())),
            }
            bytes = &bytes[first.length..];
            count += 1;
        }
        assert!(bytes.is_empty(), "a message is cut: {bytes:?}");
        (all, count)
    }

    /// Sends `bytes` in pieces of these sizes, and reads with as much room as `rooms` say, both in turn.
    async fn passed(bytes: &[u8], pieces: &[usize], rooms: &[usize]) -> Vec<u8> {
        let (mut server, client) = tokio::io::duplex(100_000);
        let (bytes, pieces) = (bytes.to_vec(), pieces.to_vec());
        let sender = tokio::spawn(async move {
            let (mut rest, mut sizes) = (&bytes[..], pieces.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                server.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
                rest = after;
            }
        });
        let (mut merged, mut all) = (Merged::new(client), Vec::new());
        for room in rooms.iter().cycle() {
            let mut buffer = vec![0; *room];
            let read = merged.read(&mut buffer).await.unwrap();
            if read == 0 {
                break;
            }
            all.extend_from_slice(&buffer[..read]);
        }
        sender.await.unwrap();
        all
    }

    #[tokio::test]
    async fn rows_that_are_at_hand_arrive_in_one_message() {
        let rows: Vec<u8> =
            (0..100).flat_map(|row| message(COPY_DATA, format!("{row}\tx\n").as_bytes())).collect();
        let all = [message(b'H', &[0, 0, 1, 0, 0]), rows, message(b'c', b""), message(b'Z', b"I")].concat();
        let passed = passed(&all, &[all.len()], &[8192]).await;
        assert_eq!(read(&passed).0, read(&all).0);
        assert_eq!(read(&passed).1, 4);
    }

    #[tokio::test]
    async fn whatever_the_pieces_everything_arrives_in_order() {
        // A small generator of numbers, the same each time.
        let mut state = 1_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..60 {
            let mut all = Vec::new();
            for number in 0..random(300) {
                let kind = if random(20) == 0 { b'N' } else { COPY_DATA };
                let long = [5, 100, 9_000, READ - 10, READ + 10, 3 * READ][match random(60) {
                    0 => 3 + random(3),
                    1..4 => 2,
                    other => other % 2,
                }];
                all.extend(message(kind, &vec![u8::try_from(number % 251).unwrap(); random(long)]));
            }
            let most = [3, 500, 70_000][random(3)];
            let pieces: Vec<usize> = (0..7).map(|_| 1 + random(most)).collect();
            let most = [4, 200, 8192, 20_000][random(4)];
            let rooms: Vec<usize> = (0..5).map(|_| 1 + random(most)).collect();
            let passed = passed(&all, &pieces, &rooms).await;
            assert_eq!(read(&passed).0, read(&all).0);
            assert!(read(&passed).1 <= read(&all).1);
        }
    }

    #[tokio::test]
    async fn a_message_that_the_end_of_the_connection_cuts_is_not_held_back() {
        let whole = [message(COPY_DATA, b"one"), message(COPY_DATA, b"two")].concat();
        for end in 0..whole.len() {
            let passed = passed(&whole[..end], &[end.max(1)], &[100]).await;
            let expected = if end < 8 { 0 } else { 8 };
            assert_eq!(passed[..expected], whole[..expected]);
            assert_eq!(passed, whole[..end]);
        }
    }

    #[tokio::test]
    async fn what_is_no_message_goes_through_as_it_is() {
        let nonsense = [&message(COPY_DATA, b"row")[..], b"d\0\0\0\x01 anything at all"].concat();
        assert_eq!(passed(&nonsense, &[nonsense.len()], &[8192]).await, nonsense);
    }
}
