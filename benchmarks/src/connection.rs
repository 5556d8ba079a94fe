//! One HTTP/1.1 connection that is kept alive, as lean as a client can be.
//!
//! Load and server share the machine, so every microsecond of a full client would be taken from what is
//! measured. What this leaves out (redirects, pipelining, and chunked answers, for which see [`crate::download`]),
//! the routes that it drives do not use, and anything unexpected is an error.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MAX_HEADERS: usize = 32;

/// Where a server listens, and a token that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) server: SocketAddr,
    pub(crate) token: Arc<str>,
}

/// An open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    reach: Reach,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(reach: Reach) -> Result<Self> {
        let server = reach.server;
        let stream = TcpStream::connect(server).await.with_context(|| format!("cannot reach {server}"))?;
        // What a browser does, too: a request is one write, and waits for no other.
        stream.set_nodelay(true)?;
        Ok(Self { stream, reach, outgoing: Vec::new(), incoming: Vec::new() })
    }

    /// Whom it reaches.
    pub(crate) const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Sends JSON, given in parts, and returns the body of the answer, which must be 200.
    pub(crate) async fn post(&mut self, path: &str, parts: &[&[u8]]) -> Result<&[u8]> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.outgoing.clear();
        write!(
            self.outgoing,
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n",
            self.reach.server, self.reach.token
        )?;
        for part in parts {
            self.outgoing.extend_from_slice(part);
        }
        self.stream.write_all(&self.outgoing).await.context("the server closed the connection")?;
        self.answer().await
    }

    /// Asks for a path and returns the body of the answer, which must be 200.
    pub(crate) async fn get(&mut self, path: &str) -> Result<&[u8]> {
        self.outgoing.clear();
        write!(
            self.outgoing,
            "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
            self.reach.server, self.reach.token
        )?;
        self.stream.write_all(&self.outgoing).await.context("the server closed the connection")?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<&[u8]> {
        self.incoming.clear();
        let head = loop {
            self.receive().await?;
            if let Some(head) = Head::parse(&self.incoming)? {
                break head;
            }
        };
        let end = head.bytes + head.content_length.context("the answer has no content-length")?;
        while self.incoming.len() < end {
            self.receive().await?;
        }
        ensure!(self.incoming.len() == end, "the server sent more than one answer");
        let body = &self.incoming[head.bytes..];
        if head.status != 200 {
            bail!("the server answered {}: {}", head.status, String::from_utf8_lossy(body));
        }
        Ok(body)
    }

    async fn receive(&mut self) -> Result<()> {
        let received = self.stream.read_buf(&mut self.incoming).await?;
        ensure!(received > 0, "the server closed the connection before it answered");
        Ok(())
    }
}

/// The part of an answer before its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its length.
    pub(crate) bytes: usize,
    pub(crate) status: u16,
    pub(crate) content_length: Option<usize>,
    pub(crate) is_chunked: bool,
    /// Of an export: how many rows it has.
    pub(crate) rows: Option<u64>,
}

impl Head {
    /// `None` when it is not whole yet.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes)? else { return Ok(None) };
        let text = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        Ok(Some(Self {
            bytes: length,
            status: response.code.unwrap_or_default(),
            content_length: text("content-length").and_then(|text| text.parse().ok()),
            is_chunked: text("transfer-encoding").is_some_and(|text| text.eq_ignore_ascii_case("chunked")),
            rows: text("leadlog-rows").and_then(|text| text.parse().ok()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\n\r\nhello";
        assert!(Head::parse(&answer[..40]).unwrap().is_none());
        let head = Head::parse(answer).unwrap().unwrap();
        assert_eq!((head.status, head.content_length, &answer[head.bytes..]), (503, Some(12), &b"hello"[..]));
        let chunked =
            Head::parse(b"HTTP/1.1 200 OK\r\nleadlog-rows: 7\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunked = chunked.unwrap().unwrap();
        assert_eq!((chunked.content_length, chunked.is_chunked, chunked.rows), (None, true, Some(7)));
    }
}
