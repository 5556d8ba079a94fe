//! One line per request, without anything that could name a person: no query, no body, no address.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

pub(super) async fn log_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let start = Instant::now();
    let method = request.method().clone();
    let response = next.call(request).await?;
    let route = response.request().match_pattern().unwrap_or_else(|| "-".to_owned());
    let status = response.status().as_u16();
    let elapsed_us = start.elapsed().as_micros();
    if status >= 500 {
        tracing::warn!(%method, route, status, elapsed_us, "request failed");
    } else {
        tracing::debug!(%method, route, status, elapsed_us, "request");
    }
    Ok(response)
}
