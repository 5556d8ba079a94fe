//! Requests that are being answered, so that a server which stops waits for them and for nothing else.
//!
//! actix waits for connections instead. Devices and browsers keep theirs open, over TLS (HTTP/2) for as long as they like, so a
//! server would wait for its whole time limit whenever one iPad is there.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};

/// How many there are.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<AtomicUsize>);

/// One of them, until its body was sent, or nobody is there any more who takes it.
struct Answering(Arc<AtomicUsize>);

struct Counted {
    body: BoxBody,
    _answering: Answering,
}

impl InFlight {
    /// Whether there is none.
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn begin(&self) -> Answering {
        self.0.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(&self.0))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl MessageBody for Counted {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

pub(super) async fn count<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let answering = request.app_data::<Data<super::Context>>().map(|context| context.in_flight.begin());
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| match answering {
        Some(answering) => Counted { body: body.boxed(), _answering: answering }.boxed(),
        None => body.boxed(),
    }))
}
