//! One HTTP/1.1 connection that is kept alive, as lean as a client can be.
//!
//! Load and server share the machine, so every microsecond of a full client would be taken from what is
//! measured. What this leaves out (redirects, chunked answers, pipelining), the route that it drives does
//! not use, and anything unexpected is an error.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MAX_HEADERS: usize = 32;

/// An open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    server: SocketAddr,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await.with_context(|| format!("cannot reach {server}"))?;
        // What a browser does, too: a request is one write, and waits for no other.
        stream.set_nodelay(true)?;
        Ok(Self { stream, server, outgoing: Vec::new(), incoming: Vec::new() })
    }

    /// Sends JSON, given in parts, and returns the body of the answer, which must be 200.
    pub(crate) async fn post(&mut self, path: &str, parts: &[&[u8]]) -> Result<&[u8]> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.outgoing.clear();
        write!(
            self.outgoing,
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n",
            self.server
        )?;
        for part in parts {
            self.outgoing.extend_from_slice(part);
        }
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
        let end = head.bytes + head.content_length;
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
struct Head {
    bytes: usize,
    status: u16,
    content_length: usize,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes)? else { return Ok(None) };
        let content_length = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
            .context("the answer has no content-length")?;
        Ok(Some(Self { bytes: length, status: response.code.unwrap_or_default(), content_length }))
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
        assert_eq!((head.status, head.content_length, &answer[head.bytes..]), (503, 12, &b"hello"[..]));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
