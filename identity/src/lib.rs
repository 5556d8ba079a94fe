//! Who may ask a store for what.
//!
//! A store is its own authority: it registers API clients, which get access tokens for a secret; it lets devices in by
//! one-time codes, which get access tokens for a key of their own; it signs the tokens with its own key, and checks them.
//! Nobody else is asked, so it works wherever the store does. People alone may be named by somebody else: a provider, if
//! the store was told of one; else they come by invitations.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `assertion` | how a device shows that it has its key |
//! | `authority` | [`Authority`]: authenticates clients and devices, issues tokens, and says what a bearer may do |
//! | `clients`, `enrolments` | the API clients and the enrolments as every process keeps them in memory |
//! | `code` | the text of a one-time code, and its digest |
//! | `command` | commands to aggregates, by cqrs-es |
//! | `enrolling` | letting devices in by codes, shutting them out |
//! | `inviting` | inviting people, taking note of those whom a provider names, shutting them out |
//! | `people` | the people as every process keeps them in memory |
//! | `provider` | who people are, as a third-party provider says it (OpenID Connect) |
//! | `registration` | letting clients in, giving them secrets, taking both back |
//! | `secret` | the text of a secret, and its hash |
//! | `sharing` | enrolments that a hub and its cloud tell each other |
//! | `signing_key` | the keys that sign, in the table `signing_keys` |
//! | `token` | access tokens as JWT (RFC 9068): what they say, made and read |
//! | `token_cache` | tokens whose signature was checked already |
//!
//! # What it promises
//!
//! - A token counts in the store that issued it, until it expires, and only as an ES256 signature of the type `at+jwt`.
//!   The algorithm is never taken from the token. None counts for more than a day.
//! - What was taken back (a secret, a scope, a client, a key) counts at once and in every process: whoever authorizes
//!   looks first. When the database does not answer within two seconds, nobody is let in
//!   ([`AuthorityError::Unavailable`]).
//!   Devices are believed for a second on what was known before, where they only add ([`Authority::authorize_lately`]).
//! - A client or an enrolment that this program cannot read, because a newer one wrote about it, is refused.
//! - A code lets one device in, once, in its time. A device that was shut out gets tokens to hand in what it holds, and
//!   for nothing else.
//! - At most two secrets are checked at once, away from the threads that answer requests, also when whoever asked has
//!   gone.
//! - What happened when is said by the database's clock, and that something was taken back depends on no clock.
//! - Secrets, tokens and keys print redacted. The log of the store holds hashes; the keys are beside it.

mod assertion;
mod authority;
mod clients;
mod code;
mod command;
mod enrolling;
mod enrolments;
mod inviting;
mod people;
mod provider;
mod registration;
mod secret;
mod sharing;
mod signing_key;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod token_cache;

pub use assertion::{RefusedAssertion, missing_device_grants};
pub use authority::{
    AuthenticatedClient, AuthenticatedDevice, Authority, AuthorityError, BringError, CLIENT_TOKEN_LIFETIME,
    DEVICE_TOKEN_LIFETIME, EnrolError, MAX_TOKEN_LIFETIME, SESSION_LIFETIME, SignInError, SignedIn,
};
pub use clients::{Clients, KnownClients};
pub use code::{NewCode, digest_of as digest_of_code};
pub use command::{CommandError, database_now};
pub use enrolling::{CODE_LIFETIME, EnrollingError, MAX_CODE_LIFETIME, Offered, offer, revoke_enrolment};
pub use enrolments::{Enrolments, KnownEnrolments};
pub use inviting::{
    INVITATION_LIFETIME, Invited, MAX_INVITATION_LIFETIME, PersonCommandError, invite, readmit_person,
    revoke_person,
};
pub use people::{KnownPeople, People};
pub use provider::{
    AuthorizationGrant, AuthorizationRequest, Identified, Provider, ProviderError, ProviderSettings,
    RefusedIdToken, SettingsError,
};
pub use registration::{
    OfferedToClient, RegistrationError, offer_to_client, register, revoke, revoke_secret, rotate, set_scopes,
};
pub use secret::{NewSecret, SECRET_PREFIX, SecretError};
pub use sharing::{SharingError, shared, shared_enrolment, take_in_enrolments};
pub use signing_key::{KeyError, ListedKey, list_keys, missing_grants, retire_keys, rotate_key};
pub use token::{AccessToken, Principal, RefusedToken, SigningError, Subject};
