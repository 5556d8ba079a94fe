//! `/api/sign-in`: how people come in, by the provider of identities (OpenID Connect) that the server was told of, or by an
//! invitation.
//!
//! The browser goes to the provider and brings back a code; the store exchanges it, and answers a token of its own. Nothing
//! that captures leads waits for any of this.

use std::ops::RangeInclusive;
use std::time::Instant;

use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, get, post};
use domain::{DisplayName, PersonError, PersonId, Timestamp};
use identity::{
    AccessToken, AuthorizationGrant, AuthorizationRequest, ProviderError, SESSION_LIFETIME, SignInError,
    SignedIn,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::problem::Problem;
use super::rate_limit::{Caller, RateLimit};
use super::{Context, authorization, body};

/// What is sent has some hundred; codes of some providers have more.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// How long what names an attempt may be: long enough that nobody guesses it.
const ATTEMPT_BYTES: RangeInclusive<usize> = 20..=128;

/// How people can sign in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignInWays {
    /// The provider of identities; null when the server was told of none, so that people come by invitations.
    provider: Option<ProviderWay>,
}

/// Where a browser sends somebody: with `response_type=code`, this client and scope, a `state`, a `nonce`, a PKCE challenge
/// by `S256`, and the address of the app and `/signed-in` as `redirect_uri`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProviderWay {
    /// The provider's authorization endpoint.
    #[schema(example = "https://login.example.com/authorize")]
    authorization_endpoint: String,
    /// What this store is there.
    #[schema(example = "leadlog")]
    client_id: String,
    /// What to ask for.
    #[schema(example = "openid profile")]
    scope: String,
}

/// What a browser came back with from the provider.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignInRequest {
    /// The authorization code.
    code: String,
    /// The PKCE verifier.
    code_verifier: String,
    /// The `redirect_uri` that the browser had sent.
    redirect_uri: String,
    /// The `nonce` that the browser had sent.
    nonce: String,
}

/// The code of an invitation.
#[derive(Deserialize, ToSchema)]
pub(crate) struct InvitationRequest {
    /// In any case, with or without its hyphens.
    #[schema(example = "7K3QF0-XW2A9-M4TDZ-H6RBC-1YEP8")]
    code: String,
    /// A random text of the caller's own. Whoever shows the code again with it within ten minutes is answered again, because the answer may have been lost on the way.
    #[serde(default)]
    #[schema(min_length = 20, max_length = 128, example = "TbN5H8JmGYqXr0aVfDkzWl2c")]
    attempt: Option<String>,
}

/// A person who has signed in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignInAnswer {
    /// Who.
    person: PersonAnswer,
    /// Seconds until the session, and the token, end.
    #[schema(example = 43_200)]
    expires_in: u64,
    /// Send it as `Authorization: Bearer …`. Absent for a person who may do nothing that needs one: whoever captures does
    /// so by the key of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// What the token is good for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "organize crm")]
    scope: Option<String>,
}

/// Who has signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct PersonAnswer {
    /// Names the person to this store.
    id: PersonId,
    /// What the person is called.
    name: DisplayName,
}

/// Says how people can sign in.
#[utoipa::path(
    operation_id = "getSignIn",
    tag = "identity",
    responses(
        (status = 200, description = "The ways", body = SignInWays),
        (status = 503, description = "The provider does not answer: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/sign-in")]
pub(crate) async fn get_sign_in(context: Data<Context>) -> Result<HttpResponse, Problem> {
    let provider = match &context.provider {
        None => None,
        Some(provider) => {
            let request = provider.authorization_request().await.map_err(|error| not_named(&error))?;
            let AuthorizationRequest { endpoint, client_id, scope } = request;
            Some(ProviderWay { authorization_endpoint: endpoint, client_id, scope })
        }
    };
    Ok(no_store(&SignInWays { provider }))
}

/// Lets somebody in who comes back from the provider.
///
/// The store exchanges the code with the provider, and checks what that says. The token is the store's own. A code works
/// once.
#[utoipa::path(
    operation_id = "signIn",
    tag = "identity",
    request_body(content = SignInRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "Signed in", body = SignInAnswer),
        (status = 400, description = "The body is not JSON of this shape", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The provider does not take the code, or the person was shut out here", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The server was told of no provider", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts from this address", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
        (status = 503, description = "The provider or the store does not answer: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/api/sign-in")]
pub(crate) async fn sign_in(
    request: HttpRequest,
    payload: Payload,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    let SignInRequest { code, code_verifier, redirect_uri, nonce } = read(&request, payload).await?;
    let provider = context.provider.as_ref().ok_or_else(|| {
        Problem::not_found("This server was told of no provider of identities. Ask for an invitation.")
    })?;
    // Each attempt costs the provider something, too, so it is counted before it is asked.
    attempt(&context.sign_in_attempts, &request)?;
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let grant = AuthorizationGrant { code, code_verifier, redirect_uri, nonce };
    let identified = provider.identify(&grant, now).await.map_err(|error| not_named(&error))?;
    let person = context.authority.sign_in(identified).await.map_err(refused)?;
    // A whole team may come from one address.
    context.sign_in_attempts.give_back(Caller::at(&request), Instant::now());
    answer(&context, person, "the provider", now).await
}

/// Lets somebody in who shows the code of an invitation.
///
/// A code works once, but for the same `attempt`.
#[utoipa::path(
    operation_id = "acceptInvitation",
    tag = "identity",
    request_body(content = InvitationRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "Signed in", body = SignInAnswer),
        (status = 400, description = "The body is not JSON of this shape", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The code is unknown, used, expired or taken back", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts from this address", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
        (status = 503, description = "The store cannot let anybody in now: try again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/api/sign-in/invitation")]
pub(crate) async fn accept_invitation(
    request: HttpRequest,
    payload: Payload,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    let InvitationRequest { code, attempt: own } = read(&request, payload).await?;
    if own.as_ref().is_some_and(|own| !ATTEMPT_BYTES.contains(&own.len())) {
        return Err(Problem::not_json(
            "attempt must be a random text of 20 to 128 characters, or be left out.",
        ));
    }
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let accepted = context.authority.accept_invitation(&code, own.as_deref()).await;
    if let Err(SignInError::UnknownCode) = &accepted {
        attempt(&context.code_attempts, &request)?;
    }
    let accepted = accepted.map_err(|error| match error {
        SignInError::Refused(PersonError::Revoked { .. }) => {
            Problem::invalid_code("The organizer has taken the invitation back, or shut out who came by it.")
        }
        error => refused(error),
    });
    answer(&context, accepted?, "an invitation", now).await
}

async fn read<T: DeserializeOwned>(request: &HttpRequest, payload: Payload) -> Result<T, Problem> {
    let body = body::read(request, payload, MAX_BODY_BYTES).await?;
    serde_json::from_slice(&body).map_err(|error| {
        // The words of the error may repeat a code.
        let (line, column) = (error.line(), error.column());
        Problem::not_json(format!(
            "The body is not as documented, at line {line} column {column}. See /docs."
        ))
    })
}

async fn answer(
    context: &Context,
    person: SignedIn,
    by: &str,
    now: Timestamp,
) -> Result<HttpResponse, Problem> {
    let token = context.authority.issue_to_person(&person, now).await;
    let token = token.map_err(|error| authorization::unavailable(&error))?;
    let SignedIn { id, name, .. } = person;
    let scope = token.as_ref().map(|token| token.scopes.to_string());
    tracing::info!(person = %id, by, scope = scope.as_deref().unwrap_or("none"), "a person has signed in");
    Ok(no_store(&SignInAnswer {
        person: PersonAnswer { id, name },
        expires_in: SESSION_LIFETIME.as_secs(),
        access_token: token.map(|AccessToken { text, .. }| text),
        scope,
    }))
}

fn attempt(limit: &RateLimit, request: &HttpRequest) -> Result<(), Problem> {
    let taken = limit.take(Caller::at(request), Instant::now());
    taken.map_err(Problem::too_many_requests)
}

fn not_named(error: &ProviderError) -> Problem {
    match error {
        ProviderError::Unavailable { .. } => {
            tracing::warn!(%error, "nobody can sign in");
            Problem::unavailable("The provider of identities does not answer as it should. Try again.")
        }
        ProviderError::Client { .. } => {
            tracing::error!(%error, "nobody can sign in");
            Problem::unavailable("The provider of identities does not know this server. Its log says more.")
        }
        ProviderError::Code { .. } | ProviderError::IdToken(_) => {
            tracing::info!(%error, "somebody was not let in");
            Problem::sign_in_refused(format!("{}. Sign in again.", capitalized(&error.to_string())))
        }
    }
}

fn refused(error: SignInError) -> Problem {
    if !matches!(error, SignInError::Unavailable(_)) {
        tracing::info!(%error, "somebody was not let in");
    }
    match error {
        SignInError::UnknownCode | SignInError::Refused(PersonError::Unknown) => {
            Problem::invalid_code("There is no such code. Is it mistyped? `leadlog invite` makes another.")
        }
        SignInError::Refused(used @ (PersonError::Used | PersonError::Expired { .. })) => {
            Problem::invalid_code(format!(
                "Nobody comes in by this code: {used}. `leadlog invite` makes another."
            ))
        }
        SignInError::Refused(PersonError::Revoked { .. }) => {
            Problem::sign_in_refused("The organizer has shut this person out.")
        }
        SignInError::Refused(refused) => {
            Problem::sign_in_refused(format!("{}.", capitalized(&refused.to_string())))
        }
        SignInError::Unavailable(error) => {
            tracing::error!(%error, "nobody can sign in");
            Problem::unavailable("The store cannot let anybody in now. Try again.")
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Nobody else's cache is to keep a token.
fn no_store(answer: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer)
}
