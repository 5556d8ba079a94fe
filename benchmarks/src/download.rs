//! A large answer over a bare socket: read as it comes, counted and thrown away.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connection::Head;

const READ_BYTES: usize = 256 * 1024;

/// How long the server may be silent. A spreadsheet is made whole before its first byte.
const SILENCE_LIMIT: Duration = Duration::from_secs(900);

/// What came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Downloaded {
    pub(crate) wall: Duration,
    /// From the request to the first byte of the answer.
    pub(crate) first_byte: Duration,
    /// Of the body.
    pub(crate) bytes: u64,
    /// Line feeds in the body.
    pub(crate) lines: u64,
    /// How many rows the answer's head promises.
    pub(crate) rows: Option<u64>,
}

/// Asks for `path` with a token, on a connection of its own, and reads the answer to its proper end.
pub(crate) async fn download(server: SocketAddr, path: &str, token: &str) -> Result<Downloaded> {
    let mut stream = TcpStream::connect(server).await.with_context(|| format!("cannot reach {server}"))?;
    stream.set_nodelay(true)?;
    let begun = Instant::now();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut incoming = Vec::with_capacity(READ_BYTES);
    let mut first_byte = None;
    let head = loop {
        receive(&mut stream, &mut incoming, path).await?;
        first_byte.get_or_insert_with(|| begun.elapsed());
        if let Some(head) = Head::parse(&incoming)? {
            break head;
        }
    };
    ensure!(head.status == 200, "{path} is answered with {}", head.status);
    let mut body = match (head.is_chunked, head.content_length) {
        (true, _) => Body::chunked(),
        (false, Some(length)) => Body::of_length(length),
        (false, None) => bail!("the answer to {path} has neither chunks nor a length"),
    };
    incoming.drain(..head.bytes);
    loop {
        body.feed(&incoming)?;
        if body.is_whole() {
            break;
        }
        incoming.clear();
        receive(&mut stream, &mut incoming, path).await?;
    }
    Ok(Downloaded {
        wall: begun.elapsed(),
        first_byte: first_byte.unwrap_or_default(),
        bytes: body.bytes,
        lines: body.lines,
        rows: head.rows,
    })
}

async fn receive(stream: &mut TcpStream, incoming: &mut Vec<u8>, path: &str) -> Result<()> {
    let received = timeout(SILENCE_LIMIT, stream.read_buf(incoming)).await;
    let received =
        received.with_context(|| format!("{path}: silence for {} s", SILENCE_LIMIT.as_secs()))??;
    ensure!(received > 0, "{path} was cut: the server closed the connection before the end");
    Ok(())
}

/// A body that is counted.
struct Body {
    state: State,
    bytes: u64,
    lines: u64,
}

/// What comes next (RFC 9112, section 7.1).
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// A line with the length of a chunk, of which this was read.
    Length(String),
    /// So many bytes of a chunk.
    Chunk(usize),
    /// The end of the line behind a chunk.
    EndOfChunk,
    /// A line of the trailer, of which so many bytes were read; the empty one is the last.
    Trailer(usize),
    /// So many bytes of a body that has no chunks.
    Rest(usize),
}

impl Body {
    const fn chunked() -> Self {
        Self { state: State::Length(String::new()), bytes: 0, lines: 0 }
    }

    const fn of_length(bytes: usize) -> Self {
        Self { state: State::Rest(bytes), bytes: 0, lines: 0 }
    }

    fn is_whole(&self) -> bool {
        self.state == State::Rest(0)
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<()> {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Rest(0) => bail!("the server sent more than one answer"),
                State::Rest(left) | State::Chunk(left) => {
                    let (content, behind) = bytes.split_at(bytes.len().min(*left));
                    *left -= content.len();
                    if self.state == State::Chunk(0) {
                        self.state = State::EndOfChunk;
                    }
                    self.count(content);
                    bytes = behind;
                    continue;
                }
                State::Length(digits) if *first == b'\n' => {
                    let length = digits.trim().split(';').next().unwrap_or_default();
                    let length = usize::from_str_radix(length, 16)
                        .with_context(|| format!("{length:?} is no length of a chunk"))?;
                    self.state = if length == 0 { State::Trailer(0) } else { State::Chunk(length) };
                }
                State::Length(digits) => digits.push(char::from(*first)),
                State::EndOfChunk if *first == b'\n' => self.state = State::Length(String::new()),
                State::Trailer(0) if *first == b'\n' => self.state = State::Rest(0),
                State::Trailer(read) if *first == b'\n' => *read = 0,
                State::EndOfChunk | State::Trailer(_) if *first == b'\r' => {}
                State::Trailer(read) => *read += 1,
                State::EndOfChunk => bail!("a chunk is longer than it says"),
            }
            bytes = rest;
        }
        Ok(())
    }

    fn count(&mut self, content: &[u8]) {
        self.bytes += content.len() as u64;
        self.lines += content.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_may_arrive_in_any_pieces() {
        let sent = b"5\r\na\nb\nc\r\nB;x=1\r\n0123456789\n\r\n0\r\nDone: yes\r\n\r\n";
        for piece in 1..=sent.len() {
            let mut body = Body::chunked();
            for bytes in sent.chunks(piece) {
                assert!(!body.is_whole());
                body.feed(bytes).unwrap();
            }
            assert!(body.is_whole());
            assert_eq!((body.bytes, body.lines), (16, 3));
        }
        assert!(Body::chunked().feed(b"2\r\nabc").is_err());
    }

    #[test]
    fn a_body_without_chunks_ends_with_its_length() {
        let mut body = Body::of_length(4);
        body.feed(b"ab\n").unwrap();
        assert!(!body.is_whole());
        body.feed(b"c").unwrap();
        assert!(body.is_whole());
        assert!(body.feed(b"d").is_err());
    }
}
