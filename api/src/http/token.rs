//! `POST /oauth/token`: access tokens for API clients, for their secret (RFC 6749, sections 4.4 and 5), and for devices, for
//! an assertion that they sign (RFC 7523, section 2.2).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{ScopeError, Scopes, Timestamp};
use identity::{AccessToken, AuthorityError};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::problem::Problem;
use super::rate_limit::Caller;
use super::{Context, authorization, body};

/// What is asked has a few hundred.
const MAX_TOKEN_REQUEST_BYTES: usize = 4096;

/// The one kind of assertion (RFC 7523, section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const FORM: &str = "application/x-www-form-urlencoded";

/// What a client asks for, for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct TokenRequest {
    /// `client_credentials`
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// Scopes, separated by spaces; without it, all that the client is registered for.
    #[schema(example = "crm")]
    scope: Option<String>,
    /// The client, when it does not stand in the header `Authorization: Basic …`, which is better.
    #[schema(example = "crm-import")]
    client_id: Option<String>,
    /// Its secret, beside `client_id`.
    client_secret: Option<String>,
    /// Of a device: `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`
    client_assertion_type: Option<String>,
    /// Of a device: a JWT that it signed by ES256, with `iss` and `sub` (its enrolment), `aud` (`urn:leadlog:store:` and the
    /// id of this store), `exp` (in at most five minutes, by the header `Date` of this store) and `jti` (random, never
    /// used again).
    client_assertion: Option<String>,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    /// Send it as `Authorization: Bearer …`. Look for nothing in it.
    access_token: String,
    /// `Bearer`
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until it stops.
    #[schema(example = 900)]
    expires_in: i64,
    /// What it is good for.
    #[schema(example = "crm")]
    scope: String,
}

/// Why there is no token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenError {
    /// `invalid_request`, `invalid_client`, `unsupported_grant_type` or `invalid_scope`.
    #[schema(example = "invalid_client")]
    error: &'static str,
    /// What exactly, and what to do.
    error_description: String,
}

/// Gives an API client or a device an access token for 15 minutes.
///
/// A client shows its secret by HTTP Basic, or as `client_id` and `client_secret` in the body; a device an assertion, as
/// `client_assertion`. It asks again when the token has expired, or is answered 401. Who asks too often is answered 429. A
/// device that was shut out gets tokens with the scope `quarantine`.
#[utoipa::path(
    operation_id = "issueToken",
    tag = "identity",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = TokenAnswer),
        (status = 400, description = "Not what is documented here, or more than the client is registered for", body = TokenError),
        (status = 401, description = "The client or its secret is not known, or was revoked; or the assertion does not count", body = TokenError, headers(("WWW-Authenticate" = String, description = "`Basic`"))),
        (status = 429, description = "Too many attempts from this address", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
        (status = 503, description = "The store cannot answer now: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/oauth/token")]
pub(crate) async fn issue_token(
    request: HttpRequest,
    payload: Payload,
    context: Data<Context>,
) -> Result<HttpResponse, Refusal> {
    let attempt = || context.token_attempts.take(Caller::at(&request), Instant::now());
    let body = read(&request, payload).await?;
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let answer = match Asked::of(&request, &body) {
        // All iPads of a hall have one address: whoever is there, too, must not keep them out. Nobody guesses a signature,
        // and what looking at one costs is a small query.
        Ok(Asked::ByDevice { assertion, scopes }) => of_device(&context, &assertion, scopes, now).await?,
        Ok(Asked::ByClient { name, secret, scopes }) => {
            attempt().map_err(Problem::too_many_requests)?;
            let client = context.authority.authenticate(&name, secret, now).await?;
            let issued = context.authority.issue_to_client(client, scopes, now).await?;
            tracing::debug!(client = name, scopes = %issued.scopes, "issued an access token");
            issued
        }
        Err(error) => {
            attempt().map_err(Problem::too_many_requests)?;
            return Err(error.into());
        }
    };
    Ok(no_store(HttpResponse::Ok().json(TokenAnswer::of(answer, now))))
}

async fn of_device(
    context: &Context,
    assertion: &str,
    asked: Option<Scopes>,
    now: Timestamp,
) -> Result<AccessToken, Refusal> {
    let device = context.authority.authenticate_device(assertion, now).await?;
    if let Some(asked) = asked
        && !device.scopes().include(asked)
    {
        let allowed = device.scopes();
        return Err(AuthorityError::ScopeNotAllowed { allowed }.into());
    }
    let enrolment = device.id.clone();
    // One that asks and asks fills a table.
    let caller = Caller::Bearer(enrolment.to_string());
    context.device_tokens.take(caller, Instant::now()).map_err(Problem::too_many_requests)?;
    let issued = context.authority.issue_to_device(device, now).await?;
    tracing::debug!(%enrolment, scopes = %issued.scopes, "issued an access token");
    Ok(issued)
}

/// What is asked for, and by whom.
enum Asked {
    ByClient { name: String, secret: String, scopes: Option<Scopes> },
    ByDevice { assertion: String, scopes: Option<Scopes> },
}

impl Asked {
    fn of(request: &HttpRequest, body: &[u8]) -> Result<Self, TokenError> {
        let Parameters { grant_type, scope, client_id, client_secret, assertion_type, assertion } =
            Parameters::of(body)?;
        let by_client = match (assertion_type.as_deref(), assertion) {
            (None, None) => Ok(credentials(request, client_id, client_secret)?),
            (Some(JWT_BEARER), Some(assertion)) => {
                if client_secret.is_some() || request.headers().contains_key(header::AUTHORIZATION) {
                    return Err(TokenError::invalid_request("show a secret or an assertion, not both"));
                }
                Err(assertion)
            }
            (Some(JWT_BEARER), None) => {
                return Err(TokenError::invalid_request("client_assertion is missing"));
            }
            (_, _) => {
                let what = format!("the client_assertion_type here is {JWT_BEARER}");
                return Err(TokenError::invalid_request(what));
            }
        };
        let grant_type = grant_type.ok_or_else(|| TokenError::invalid_request("grant_type is missing"))?;
        if grant_type != "client_credentials" {
            let what = "the only grant_type here is client_credentials";
            return Err(TokenError::new("unsupported_grant_type", what));
        }
        let scopes = scope.map(|scope| scope.parse()).transpose().map_err(|error: ScopeError| {
            TokenError::new("invalid_scope", format!("each scope {error}, separated by one space"))
        })?;
        Ok(match by_client {
            Ok((name, secret)) => Self::ByClient { name, secret, scopes },
            Err(assertion) => Self::ByDevice { assertion, scopes },
        })
    }
}

async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, TokenError> {
    let given =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    let what = format!("send a body of at most {MAX_TOKEN_REQUEST_BYTES} bytes as {FORM}");
    if !media_type.eq_ignore_ascii_case(FORM) {
        return Err(TokenError::invalid_request(what));
    }
    body::read(request, payload, MAX_TOKEN_REQUEST_BYTES).await.map_err(|_| TokenError::invalid_request(what))
}

/// The parameters that count. Others are passed over, as the RFC wants it.
#[derive(Default)]
struct Parameters {
    grant_type: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    assertion_type: Option<String>,
    assertion: Option<String>,
}

impl Parameters {
    fn of(body: &[u8]) -> Result<Self, TokenError> {
        let mut parameters = Self::default();
        let mut given = BTreeSet::new();
        for (name, value) in form_urlencoded::parse(body) {
            let slot = match name.as_ref() {
                "grant_type" => &mut parameters.grant_type,
                "scope" => &mut parameters.scope,
                "client_id" => &mut parameters.client_id,
                "client_secret" => &mut parameters.client_secret,
                "client_assertion_type" => &mut parameters.assertion_type,
                "client_assertion" => &mut parameters.assertion,
                _ => continue,
            };
            // Also when one of them is empty: readers before this one may have taken the other.
            if !given.insert(name.clone()) {
                return Err(TokenError::invalid_request(format!("{name} is given more than once")));
            }
            // One without a value is as good as none (section 3.2).
            *slot = (!value.is_empty()).then(|| value.into_owned());
        }
        Ok(parameters)
    }
}

/// The client and the secret that it shows, in one of the two ways.
fn credentials(
    request: &HttpRequest,
    client_id: Option<String>,
    client_secret: Option<String>,
) -> Result<(String, String), TokenError> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let header = headers.next();
    if headers.next().is_some() {
        return Err(TokenError::invalid_request("send one header Authorization"));
    }
    let Some(header) = header else {
        let missing =
            || TokenError::invalid_client("show the client and its secret by HTTP Basic, or in the body");
        return client_id.zip(client_secret).ok_or_else(missing);
    };
    if client_secret.is_some() {
        return Err(TokenError::invalid_request("show the secret in the header or in the body, not in both"));
    }
    let (name, secret) = header.to_str().ok().and_then(basic).ok_or_else(|| {
        TokenError::invalid_client("the header Authorization is not Basic with a client and its secret")
    })?;
    match client_id {
        Some(other) if other != name => {
            Err(TokenError::invalid_request("client_id is not the client of the header"))
        }
        _ => Ok((name, secret)),
    }
}

/// Both parts are form-encoded before they are put together (section 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let pair = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let pair = String::from_utf8(pair).ok()?;
    let (name, secret) = pair.split_once(':')?;
    let decoded =
        |text: &str| Some(percent_decode_str(&text.replace('+', " ")).decode_utf8().ok()?.into_owned());
    Some((decoded(name)?, decoded(secret)?))
}

impl TokenAnswer {
    fn of(issued: AccessToken, now: Timestamp) -> Self {
        Self {
            access_token: issued.text,
            token_type: "Bearer",
            expires_in: issued.expires_at.unix_seconds() - now.unix_seconds(),
            scope: issued.scopes.to_string(),
        }
    }
}

impl TokenError {
    fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, error_description: description.into() }
    }

    fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    fn invalid_client(description: impl Into<String>) -> Self {
        Self::new("invalid_client", description)
    }

    fn answer(&self) -> HttpResponse {
        let mut response = match self.error {
            "invalid_client" => {
                let mut response = HttpResponse::Unauthorized();
                response
                    .insert_header((header::WWW_AUTHENTICATE, r#"Basic realm="leadlog", charset="UTF-8""#));
                response
            }
            _ => HttpResponse::BadRequest(),
        };
        no_store(response.json(self))
    }
}

fn no_store(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, header::HeaderValue::from_static("no-cache"));
    response
}

/// What is answered instead of a token: an error of OAuth, or what every route answers.
#[derive(Debug)]
pub(crate) enum Refusal {
    OAuth(TokenError),
    Problem(Problem),
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::OAuth(error)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<AuthorityError> for Refusal {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::UnknownClient | AuthorityError::RefusedAssertion(_) => {
                TokenError::invalid_client(error.to_string()).into()
            }
            AuthorityError::ScopeNotAllowed { .. } => {
                TokenError::new("invalid_scope", error.to_string()).into()
            }
            AuthorityError::Busy => Problem::unavailable("Too many clients ask at once. Try again.").into(),
            other => authorization::unavailable(&other).into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OAuth(TokenError { error, error_description }) => write!(f, "{error}: {error_description}"),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::OAuth(error) => error.answer(),
            Self::Problem(problem) => no_store(problem.error_response()),
        }
    }
}
