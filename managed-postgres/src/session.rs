//! Just enough of PostgreSQL's protocol (version 3.0, "Frontend/Backend Protocol" in its manual) to ask a
//! server who it is. That a process exists proves nothing; an answer does.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::DATABASE;

/// A healthy server answers in a millisecond; a frozen one must not freeze us.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
const PROTOCOL_3_0: u32 = 3 << 16;

/// One connection as the superuser.
#[derive(Debug)]
pub(crate) struct Session {
    stream: UnixStream,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// Nobody answered, or not in this protocol.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server said no.
    #[error("{message} (SQLSTATE {sqlstate})")]
    Refused { sqlstate: String, message: String },
}

impl SessionError {
    /// Nobody listens at this socket.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Io(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused))
    }

    pub(crate) fn has_sqlstate(&self, code: &str) -> bool {
        matches!(self, Self::Refused { sqlstate, .. } if sqlstate == code)
    }
}

impl Session {
    pub(crate) fn open(socket: &Path, database: &str) -> Result<Self, SessionError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.set_write_timeout(Some(ANSWER_LIMIT))?;
        let mut session = Self { stream };
        let mut body = PROTOCOL_3_0.to_be_bytes().to_vec();
        for text in ["user", DATABASE, "database", database, ""] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        session.send(None, &body)?;
        session.read_until_ready()?;
        Ok(session)
    }

    /// Runs one statement; the first column of its first row.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Option<String>, SessionError> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(Some(b'Q'), &body)?;
        self.read_until_ready()
    }

    fn send(&mut self, tag: Option<u8>, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        let mut message: Vec<u8> = tag.into_iter().collect();
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(body);
        self.stream.write_all(&message)
    }

    fn read_until_ready(&mut self) -> Result<Option<String>, SessionError> {
        let (mut value, mut refused) = (None, None);
        loop {
            let (tag, body) = match self.read_message() {
                Ok(message) => message,
                // A server that refuses a connection says why and hangs up.
                Err(_) if refused.is_some() => (b'Z', Vec::new()),
                Err(error) => return Err(error.into()),
            };
            match tag {
                b'Z' => return refused.map_or(Ok(value), Err),
                b'E' => refused = Some(refusal(&body)),
                b'D' if value.is_none() => value = first_column(&body),
                b'R' if body != [0; 4] => {
                    return Err(io::Error::other("the server asks for a password").into());
                }
                _ => {}
            }
        }
    }

    fn read_message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let [tag, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let Some(length) = length.checked_sub(4).filter(|length| *length <= MAX_MESSAGE_BYTES) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not PostgreSQL"));
        };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((tag, body))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A polite end keeps "unexpected EOF" out of the server's log.
        let _ = self.send(Some(b'X'), &[]);
    }
}

fn refusal(body: &[u8]) -> SessionError {
    let field = |code: u8| {
        let found = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&code));
        found.map(|field| String::from_utf8_lossy(&field[1..]).into_owned()).unwrap_or_default()
    };
    SessionError::Refused { sqlstate: field(b'C'), message: field(b'M') }
}

/// DataRow: count of columns (2 bytes), then for each its length (4 bytes, -1 is NULL) and bytes.
fn first_column(body: &[u8]) -> Option<String> {
    let length = u32::from_be_bytes(body.get(2..6)?.try_into().ok()?);
    let end = 6_usize.checked_add(usize::try_from(length).ok()?)?;
    Some(String::from_utf8_lossy(body.get(6..end)?).into_owned())
}
