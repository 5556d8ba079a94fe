//! Closed by default: what the document says needs a token is answered only when somebody asked for one.
//!
//! Who may call a route stands in its handler's type ([`super::authorization`]), and a handler can be written without it. Then
//! the document and the handler say different things, and nobody is answered until they agree. The same goes for a route under
//! /api or /oauth that is not in the document. This looks at the answer, when the handler has done its work: it keeps what is
//! here from strangers, and what a stranger has done is done.

use std::collections::HashMap;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, ResponseError};
use utoipa::openapi::{OpenApi, PathItem, path::Operation};

use super::problem::Problem;

/// Where routes stand in the document, each.
const DOCUMENTED: [&str; 2] = ["/api/", "/oauth/"];

/// In a request about which it was asked who calls, whatever came of it.
struct Asked;

/// Notes that it was asked who calls.
pub(super) fn asked(request: &HttpRequest) {
    request.extensions_mut().insert(Asked);
}

/// The routes of the document, and whether each is open to everybody.
pub(super) struct Guard(HashMap<String, Vec<(Method, bool)>>);

impl Guard {
    pub(super) fn of(document: &OpenApi) -> Self {
        Self(document.paths.paths.iter().map(|(path, item)| (path.clone(), operations(item))).collect())
    }

    /// Whether a request about which nobody asked may have this answer.
    fn is_open(&self, response: &ServiceResponse<impl MessageBody>) -> bool {
        let request = response.request();
        // By what it has matched: the path is as it was sent, and may be written in another way.
        let pattern = request.match_pattern();
        let route = pattern.as_deref().unwrap_or_else(|| request.path());
        if !DOCUMENTED.iter().any(|root| route.starts_with(root)) {
            return true;
        }
        let route = pattern.and_then(|pattern| self.0.get(&pattern));
        let known = route.and_then(|methods| methods.iter().find(|(method, _)| method == request.method()));
        match known {
            Some((_, is_open)) => *is_open,
            // There is no such route, or none that was written down.
            None => response.status().is_client_error(),
        }
    }
}

pub(super) async fn keep<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let response = next.call(request).await?;
    let request = response.request();
    // First what costs least: nearly every request has a token.
    let is_right = request.extensions().contains::<Asked>()
        || request.app_data::<Data<Guard>>().is_some_and(|guard| guard.is_open(&response));
    if is_right {
        return Ok(response.map_into_left_body());
    }
    let (method, route) = (request.method(), request.match_pattern());
    tracing::error!(%method, route, "a route asks nobody for a token that needs one, or is in no document; it is not answered");
    let refusal =
        Problem::unavailable("This route is not set up as it should be. The server's log says more.");
    Ok(response.into_response(refusal.error_response().map_into_right_body()))
}

fn operations(item: &PathItem) -> Vec<(Method, bool)> {
    let all = [
        (Method::GET, &item.get),
        (Method::HEAD, &item.head),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
        (Method::OPTIONS, &item.options),
    ];
    let is_open = |operation: &Operation| operation.security.is_none();
    all.into_iter().filter_map(|(method, it)| Some((method, is_open(it.as_ref()?)))).collect()
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    async fn forgets() -> HttpResponse {
        HttpResponse::Ok().body("personal data")
    }

    async fn asks(request: HttpRequest) -> HttpResponse {
        asked(&request);
        forgets().await
    }

    #[actix_web::test]
    async fn a_handler_that_forgets_to_ask_is_not_answered() {
        let app = App::new()
            .app_data(Data::new(Guard::of(&crate::openapi::document())))
            .wrap(from_fn(keep))
            .route("/api/exports/leads.{format}", web::get().to(forgets))
            .route("/api/exports/contacts.{format}", web::get().to(asks))
            .route("/api/health", web::get().to(forgets))
            .route("/api/new", web::get().to(forgets))
            .route("/page", web::get().to(forgets));
        let app = init_service(app).await;
        for (path, status) in [
            ("/api/exports/leads.csv", 503),
            ("/%61pi/exports/leads.csv", 503),
            ("/api/exports/contacts.csv", 200),
            ("/api/health", 200),
            ("/api/new", 503),
            ("/api/nowhere", 404),
            ("/page", 200),
        ] {
            let answer = call_service(&app, TestRequest::get().uri(path).to_request()).await;
            assert_eq!(answer.status().as_u16(), status, "{path}");
            let body = read_body(answer).await;
            assert_eq!(body.starts_with(b"personal data"), status == 200, "{path}");
        }
    }
}
