//! Errors as `application/problem+json` (RFC 9457), with a stable `type`.

use std::fmt;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use domain::Scope;
use event_store::LogError;
use identity::RefusedToken;
use intake::IntakeError;
use projections::DatabaseError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::backups::BackupError;

/// What went wrong with a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Stable name of the problem, for programs.
    #[serde(rename = "type")]
    #[schema(example = "urn:leadlog:problem:not-json")]
    kind: &'static str,
    /// The problem in a few words.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What exactly, where, and what to do. Never holds personal data.
    detail: String,
    /// Seconds after which another try makes sense; sent as `Retry-After`.
    #[serde(skip)]
    retry_after_s: Option<u32>,
    /// The methods that the route has, when the request had another; sent as `Allow`.
    #[serde(skip)]
    allowed: Vec<Method>,
    /// How to be let in; sent as `WWW-Authenticate`.
    #[serde(skip)]
    challenge: Option<String>,
}

/// Seconds after which a device should try again when the log cannot be written.
const STORE_RETRY_AFTER_S: u32 = 5;

impl Problem {
    /// The body is not JSON of the right shape.
    pub fn not_json(detail: impl Into<String>) -> Self {
        Self::new("urn:leadlog:problem:not-json", "The body cannot be read", StatusCode::BAD_REQUEST, detail)
    }

    /// A parameter is not what it must be.
    pub fn bad_parameter(detail: impl Into<String>) -> Self {
        Self::new(
            "urn:leadlog:problem:bad-parameter",
            "A parameter is not valid",
            StatusCode::BAD_REQUEST,
            detail,
        )
    }

    /// The body has too many bytes or entries; the sender halves it.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(
            "urn:leadlog:problem:too-large",
            "The request is too large",
            StatusCode::PAYLOAD_TOO_LARGE,
            detail,
        )
    }

    /// The format cannot hold as many rows as were asked for.
    pub fn too_many_rows(detail: impl Into<String>) -> Self {
        Self::new(
            "urn:leadlog:problem:too-many-rows",
            "The format cannot hold that many rows",
            StatusCode::UNPROCESSABLE_ENTITY,
            detail,
        )
    }

    /// The body has an encoding that this server does not read.
    pub fn unsupported_encoding(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new("urn:leadlog:problem:unsupported-encoding", "The encoding is not supported", status, detail)
    }

    /// The body did not arrive in time.
    pub fn too_slow() -> Self {
        let detail = "The body did not arrive in time. Send it again.";
        Self::new(
            "urn:leadlog:problem:too-slow",
            "The request took too long",
            StatusCode::REQUEST_TIMEOUT,
            detail,
        )
    }

    /// Nothing of that name.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new("urn:leadlog:problem:not-found", "There is no such thing", StatusCode::NOT_FOUND, detail)
    }

    /// The route is there, and has other methods.
    pub fn wrong_method(method: &Method, allowed: &[Method]) -> Self {
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let detail = format!("This route has no {method}. It has {}; see /docs.", names.join(", "));
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let problem =
            Self::new("urn:leadlog:problem:wrong-method", "The route has no such method", status, detail);
        Self { allowed: allowed.to_vec(), ..problem }
    }

    /// The store cannot answer now. The sender keeps everything and tries again.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem =
            Self::new("urn:leadlog:problem:unavailable", "The store cannot answer now", status, detail);
        Self { retry_after_s: Some(STORE_RETRY_AFTER_S), ..problem }
    }

    /// No token came with the request. `scope` is one that is enough.
    pub fn no_token(scope: Scope) -> Self {
        let detail = format!(
            "This needs an access token with the scope {scope}, as `Authorization: Bearer …`. Devices and \
             clients get one from /oauth/token, and whoever is at the server from `leadlog tokens issue`. See \
             docs/identity.md."
        );
        let problem = Self::new(
            "urn:leadlog:problem:no-token",
            "The request has no access token",
            StatusCode::UNAUTHORIZED,
            detail,
        );
        Self { challenge: Some(format!("Bearer scope=\"{scope}\"")), ..problem }
    }

    /// What came instead of one token is no form of a request: an empty one, or several (RFC 6750, section 3.1).
    pub fn unreadable_token(scope: Scope) -> Self {
        let problem = Self::new(
            "urn:leadlog:problem:unreadable-token",
            "The request does not have just one access token",
            StatusCode::BAD_REQUEST,
            "Send one header `Authorization: Bearer …` with one access token.",
        );
        Self { challenge: Some(format!("Bearer error=\"invalid_request\", scope=\"{scope}\"")), ..problem }
    }

    /// The token that came does not count.
    pub fn invalid_token(refused: RefusedToken, scope: Scope) -> Self {
        let problem = Self::new(
            "urn:leadlog:problem:invalid-token",
            "The access token does not count",
            StatusCode::UNAUTHORIZED,
            format!("The access token does not count: {refused}. Get another one from /oauth/token."),
        );
        Self { challenge: Some(format!("Bearer error=\"invalid_token\", scope=\"{scope}\"")), ..problem }
    }

    /// The token is good, but not for this. Any of `scopes` would be.
    pub fn insufficient_scope(scopes: &[Scope]) -> Self {
        let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let detail =
            format!("The access token is not for this. It would need the scope {}.", names.join(" or "));
        let problem = Self::new(
            "urn:leadlog:problem:insufficient-scope",
            "The access token is not for this",
            StatusCode::FORBIDDEN,
            detail,
        );
        let told = names.first().copied().unwrap_or_default();
        Self { challenge: Some(format!("Bearer error=\"insufficient_scope\", scope=\"{told}\"")), ..problem }
    }

    /// The code lets nobody in.
    pub fn invalid_code(detail: impl Into<String>) -> Self {
        Self::new(
            "urn:leadlog:problem:invalid-code",
            "The code lets nobody in",
            StatusCode::FORBIDDEN,
            detail,
        )
    }

    /// Nobody is let in.
    pub fn sign_in_refused(detail: impl Into<String>) -> Self {
        Self::new("urn:leadlog:problem:sign-in-refused", "Nobody is let in", StatusCode::FORBIDDEN, detail)
    }

    /// What is asked for belongs to another device.
    pub fn not_yours(detail: impl Into<String>) -> Self {
        Self::new(
            "urn:leadlog:problem:not-yours",
            "This belongs to another device",
            StatusCode::FORBIDDEN,
            detail,
        )
    }

    /// The caller asks too often; there is room again after `wait`.
    pub fn too_many_requests(wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        let problem = Self::new(
            "urn:leadlog:problem:too-many-requests",
            "Too many requests",
            StatusCode::TOO_MANY_REQUESTS,
            format!("Too many attempts. Try again in {seconds} s."),
        );
        Self { retry_after_s: Some(seconds), ..problem }
    }

    fn new(kind: &'static str, title: &'static str, status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            retry_after_s: None,
            allowed: Vec::new(),
            challenge: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        // What is refused now may be allowed in a moment, and nobody else's cache is to know of it.
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if !self.allowed.is_empty() {
            response.insert_header(header::Allow(self.allowed.clone()));
        }
        if let Some(challenge) = &self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, challenge.as_str()));
        }
        let body = serde_json::to_string(self).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        tracing::warn!(%error, "intake failed; the sender keeps its entries");
        Self::unavailable(
            "The log cannot be written now. Keep the entries and send them again; that is harmless.",
        )
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        tracing::error!(%error, "the log cannot be read");
        Self::unavailable("The database does not answer now. Try again.")
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Database(error) => error.into(),
            BackupError::Unreadable(error) => {
                tracing::error!(%error, "a backup cannot be used");
                Self::unavailable("This backup is damaged. Take another version.")
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let error = DatabaseError::from(error);
        tracing::error!(error = &error as &dyn std::error::Error, "a request could not be answered");
        Self::unavailable(match error {
            DatabaseError::Silent(_) => "The database does not answer now. Try again.",
            DatabaseError::Refused(_) => "The database refuses what this needs. The server's log says why.",
        })
    }
}
