//! Request bodies: bounded in bytes and time, before and after decompression.

use std::io::Read;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use flate2::read::GzDecoder;
use futures_util::StreamExt;

use super::problem::Problem;

/// How long a body may take to arrive, on whatever network a hall has.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(60);

/// A body as it came.
pub(super) struct Received {
    bytes: Bytes,
    is_gzip: bool,
}

/// Reads the body, at most `limit` bytes of it, and unpacks it if it is gzip; unpacked it may have `limit`
/// bytes, too.
pub(super) async fn read(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    receive(request, payload, limit).await?.unpack(limit)
}

/// Reads the body, at most `limit` bytes of it.
pub(super) async fn receive(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<Received, Problem> {
    let encoding = request.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    let is_gzip = match encoding {
        None | Some("" | "identity") => false,
        Some("gzip") => true,
        Some(_) => {
            let detail = "Send the body as it is, or with Content-Encoding: gzip.";
            return Err(Problem::unsupported_encoding(detail));
        }
    };
    let bytes = tokio::time::timeout(ARRIVAL_TIMEOUT, collect(payload, limit))
        .await
        .map_err(|_| Problem::too_slow())??;
    Ok(Received { bytes, is_gzip })
}

impl Received {
    /// The body, unpacked; at most `limit` bytes.
    pub(super) fn unpack(self, limit: usize) -> Result<Bytes, Problem> {
        if self.is_gzip { gunzip(&self.bytes, limit) } else { Ok(self.bytes) }
    }
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Problem::not_json(format!("The body was cut off: {error}.")))?;
        if body.len() + chunk.len() > limit {
            return Err(over(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Never unpacks more than the limit, whatever a few hundred bytes claim to hold.
fn gunzip(packed: &[u8], limit: usize) -> Result<Bytes, Problem> {
    let mut body = Vec::new();
    GzDecoder::new(packed)
        .take(limit as u64 + 1)
        .read_to_end(&mut body)
        .map_err(|error| Problem::not_json(format!("The body is not gzip: {error}.")))?;
    if body.len() > limit { Err(over(limit)) } else { Ok(body.into()) }
}

fn over(limit: usize) -> Problem {
    Problem::too_large(format!("A body has at most {limit} bytes, unpacked. Send less at once."))
}
