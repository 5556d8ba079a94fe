//! Who may call a route: the bearer of a token with one of the scopes that stand in the handler's type (RFC 6750).
//!
//! The other parameters of such a handler must be ones that cannot fail (`HttpRequest`, `Path<String>`, `Payload`, `Data`): what
//! fails while this asks the store would be answered instead, and tell a stranger something. A query or a body is read
//! by the handler itself. The test that walks all routes (`tests/api/authorization.rs`) sends each of them a bad query
//! without a token and wants 401.

use std::collections::BTreeSet;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use domain::{DeviceId, EnrolmentId, Scope, Timestamp};
use identity::{AuthorityError, Enrolments, Principal, Subject};
use time::OffsetDateTime;

use super::problem::Problem;
use super::{Context, guard};

/// What a route asks of its caller.
pub(crate) trait Requirement: 'static {
    /// The scopes of which one is enough; the first is the one that callers are told.
    const ANY_OF: &'static [Scope];

    /// Whether to look first what was taken back. Where personal data leaves the store, always; whoever only adds is
    /// believed on what was known a second ago.
    const LOOKS_FIRST: bool;
}

/// Leads and contacts in bulk.
pub(crate) struct TakesLeadsOut;

impl Requirement for TakesLeadsOut {
    const ANY_OF: &'static [Scope] = &[Scope::Crm, Scope::Organize];
    const LOOKS_FIRST: bool = true;
}

/// Leads on their way in.
pub(crate) struct GivesLeads;

impl Requirement for GivesLeads {
    const ANY_OF: &'static [Scope] = &[Scope::Capture, Scope::Quarantine, Scope::Relay];
    const LOOKS_FIRST: bool = false;
}

/// What a hub has to know.
pub(crate) struct FollowsCloud;

impl Requirement for FollowsCloud {
    const ANY_OF: &'static [Scope] = &[Scope::Relay];
    const LOOKS_FIRST: bool = true;
}

/// A question that the form asks while somebody types.
pub(crate) struct AsksWhatIsKnown;

impl Requirement for AsksWhatIsKnown {
    const ANY_OF: &'static [Scope] = &[Scope::Capture, Scope::Organize];
    const LOOKS_FIRST: bool = false;
}

/// Numbers about an event, and what can be said of its devices.
pub(crate) struct WatchesEvent;

impl Requirement for WatchesEvent {
    const ANY_OF: &'static [Scope] = &[Scope::Organize];
    const LOOKS_FIRST: bool = true;
}

/// The outbox of a device, on its way in.
pub(crate) struct GivesBackups;

impl Requirement for GivesBackups {
    const ANY_OF: &'static [Scope] = &[Scope::Capture, Scope::Relay];
    const LOOKS_FIRST: bool = true;
}

/// The outbox of a device, on its way back.
pub(crate) struct TakesBackups;

impl Requirement for TakesBackups {
    const ANY_OF: &'static [Scope] = &[Scope::Capture, Scope::Organize];
    const LOOKS_FIRST: bool = true;
}

/// The caller of this request may do what `R` says. A handler that has it among its parameters is not called otherwise.
pub(crate) struct Authorized<R> {
    /// Who calls.
    pub(crate) principal: Principal,
    /// By which token: what lasts longer than an answer asks again whether it counts.
    pub(crate) token: String,
    requirement: PhantomData<R>,
}

impl<R: Requirement> FromRequest for Authorized<R> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        guard::asked(request);
        let context = request.app_data::<Data<Context>>().cloned();
        let token = token_of(request);
        Box::pin(async move {
            let context = context.ok_or_else(|| Problem::unavailable("The server is not set up yet."))?;
            let told = R::ANY_OF[0];
            let token = match token {
                Token::None => return Err(Problem::no_token(told)),
                Token::Unreadable => return Err(Problem::unreadable_token(told)),
                Token::Bearer(token) => token,
            };
            let now = Timestamp::new(OffsetDateTime::now_utc());
            let authority = &context.authority;
            let authorized = if R::LOOKS_FIRST {
                authority.authorize(&token, now).await
            } else {
                authority.authorize_lately(&token, now).await
            };
            let principal = authorized.map_err(|error| match error {
                AuthorityError::Refused(refused) => Problem::invalid_token(refused, told),
                other => unavailable(&other),
            })?;
            if R::ANY_OF.iter().any(|scope| principal.scopes.contains(*scope)) {
                Ok(Self { principal, token, requirement: PhantomData })
            } else {
                Err(Problem::insufficient_scope(R::ANY_OF))
            }
        })
    }
}

/// For whom a caller may speak, as of a second ago.
pub(super) enum Voice {
    /// Whoever is at the server may say what he likes, and so may a hub.
    Any,
    /// A device speaks for itself, and for what was there before it under its name.
    Of(DeviceVoice),
    /// A program or a person is no installation.
    None,
}

/// A device, and for whom it may speak.
pub(super) struct DeviceVoice {
    enrolment: EnrolmentId,
    enrolments: Arc<Enrolments>,
    /// The installation.
    pub(super) own: DeviceId,
    /// Whether it was shut out.
    pub(super) is_revoked: bool,
}

impl DeviceVoice {
    /// The installations that were enrolled under its name. Goes through all enrolments, so not for each request.
    pub(super) fn under_its_name(&self) -> BTreeSet<DeviceId> {
        self.enrolments.installations_of(&self.enrolment)
    }
}

impl Voice {
    pub(super) async fn of(caller: &Principal, context: &Context) -> Result<Self, Problem> {
        let id = match &caller.subject {
            Subject::Admin(_) => return Ok(Self::Any),
            // A hub has heard its devices itself.
            Subject::Client { .. } if is_hub(caller) => return Ok(Self::Any),
            Subject::Client { .. } | Subject::Person { .. } => return Ok(Self::None),
            Subject::Device(id) => id,
        };
        let enrolments = context.authority.enrolments_lately().await.map_err(|error| unavailable(&error))?;
        let Some((_, device)) = enrolments.device(id) else { return Ok(Self::None) };
        Ok(Self::Of(DeviceVoice {
            enrolment: id.clone(),
            own: device.device_id.clone(),
            is_revoked: enrolments.get(id).is_none_or(|enrolment| enrolment.revoked_at().is_some()),
            enrolments,
        }))
    }
}

/// Whether a hub calls, and not somebody at the server who may do all that hubs may.
pub(super) fn is_hub(caller: &Principal) -> bool {
    matches!(caller.subject, Subject::Client { .. }) && caller.scopes.contains(Scope::Relay)
}

/// Nobody is let in while it cannot be said who may what.
pub(super) fn unavailable(error: &AuthorityError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "it cannot be said who may what");
    Problem::unavailable("The store cannot say now who may what. Try again.")
}

enum Token {
    None,
    Unreadable,
    Bearer(String),
}

/// The token in the header. One in the query would stand in logs and histories, and is not taken.
fn token_of(request: &HttpRequest) -> Token {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else {
        return if request.headers().contains_key(header::AUTHORIZATION) {
            Token::Unreadable
        } else {
            Token::None
        };
    };
    let Ok(value) = value.to_str() else { return Token::Unreadable };
    let (scheme, token) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    match (scheme.eq_ignore_ascii_case("bearer"), token.trim()) {
        // Of another scheme: as good as none.
        (false, _) => Token::None,
        (true, "") => Token::Unreadable,
        (true, token) => Token::Bearer(token.to_owned()),
    }
}
