//! Who may ask a store for what.
//!
//! A store is its own authority: it registers API clients, gives them access tokens for a secret, signs the tokens with a
//! key of its own, and checks them. Nobody else is asked, so it works wherever the store does.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `authority` | [`Authority`]: authenticates clients, issues tokens, and says what a bearer may do |
//! | `clients` | the API clients as every process keeps them in memory |
//! | `registration` | letting clients in, giving them secrets, taking both back |
//! | `secret` | the text of a secret, and its hash |
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
//! - A client that this program cannot read, because a newer one wrote about it, is refused.
//! - At most two secrets are checked at once, away from the threads that answer requests, also when whoever asked has
//!   gone.
//! - What happened when is said by the database's clock, and that something was taken back depends on no clock.
//! - Secrets, tokens and keys print redacted. The log of the store holds hashes; the keys are beside it.

mod authority;
mod clients;
mod registration;
mod secret;
mod signing_key;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod token_cache;

pub use authority::{
    AuthenticatedClient, Authority, AuthorityError, CLIENT_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME,
};
pub use clients::{Clients, KnownClients};
pub use registration::{
    RegistrationError, database_now, register, revoke, revoke_secret, rotate, set_scopes,
};
pub use secret::{NewSecret, SECRET_PREFIX, SecretError};
pub use signing_key::{KeyError, missing_grants, retire_keys, rotate_key};
pub use token::{AccessToken, Principal, RefusedToken, SigningError, Subject};
