//! People who sign in, by invitations or as a provider names them, and are shut out.

use std::time::Duration;

use domain::{
    DisplayName, PERSON_STREAM, PersonError, PersonEvent, ProvidedIdentity, Scope, Scopes, StoreId, Timestamp,
};
use event_store::testing::fresh_store;
use event_store::{EventLog, PostgresLog};
use futures_util::future::join_all;
use identity::testing::copy_streams;
use identity::{
    Authority, AuthorityError, INVITATION_LIFETIME, Identified, RefusedToken, SESSION_LIFETIME, SignInError,
    SignedIn, Subject, invite, readmit_person, revoke_person,
};
use time::OffsetDateTime;

struct Store {
    log: PostgresLog,
    authority: Authority,
}

impl Store {
    async fn start() -> Self {
        let (pool, _) = fresh_store().await;
        event_store::migrate(&pool).await.unwrap();
        let log = PostgresLog::new(pool);
        let id: StoreId = log.head().await.unwrap().store_id;
        Self { authority: Authority::new(log.clone(), id), log }
    }

    async fn code(&self, lifetime: Duration) -> String {
        let name: DisplayName = "Ewa Nowak".parse().unwrap();
        invite(self.log.pool(), name, organize(), lifetime).await.unwrap().code.reveal()
    }

    async fn token_of(&self, person: &SignedIn) -> String {
        self.authority.issue_to_person(person, now()).await.unwrap().unwrap().text
    }
}

fn now() -> Timestamp {
    Timestamp::new(OffsetDateTime::now_utc())
}

fn organize() -> Scopes {
    Scopes::new([Scope::Organize]).unwrap()
}

/// As a provider names somebody.
fn named(name: &str, scopes: Option<Scopes>) -> Identified {
    let identity = ProvidedIdentity {
        issuer: "https://login.example.com".to_owned(),
        subject: "24400320".to_owned(),
        name: name.parse().unwrap(),
    };
    Identified { identity, scopes }
}

fn is_shut_out<T>(refused: &Result<T, AuthorityError>) -> bool {
    matches!(refused, Err(AuthorityError::Refused(RefusedToken::RevokedPerson)))
}

#[tokio::test]
async fn an_invitation_lets_one_of_many_in_for_a_day_and_with_its_scopes() {
    let store = Store::start().await;
    let code = store.code(INVITATION_LIFETIME).await;
    let attempts = join_all((0..4).map(|_| store.authority.accept_invitation(&code, None))).await;
    let (mut came_in, refused): (Vec<_>, Vec<_>) = attempts.into_iter().partition(Result::is_ok);
    assert_eq!((came_in.len(), refused.len()), (1, 3));
    for error in refused.into_iter().filter_map(Result::err) {
        assert!(matches!(error, SignInError::Refused(PersonError::Used)), "{error}");
    }
    let person = came_in.remove(0).unwrap();
    assert_eq!(person.name.as_str(), "Ewa Nowak");

    let token = store.token_of(&person).await;
    let principal = store.authority.authorize(&token, now()).await.unwrap();
    assert_eq!(
        (principal.subject, principal.scopes),
        (Subject::Person { id: person.id, revocations: 0 }, organize())
    );
    let later = Timestamp::new(OffsetDateTime::now_utc() + SESSION_LIFETIME);
    let expired = store.authority.authorize(&token, later).await;
    assert!(matches!(expired, Err(AuthorityError::Refused(RefusedToken::Expired))));

    for (code, what) in [(store.code(Duration::ZERO).await, "expired"), ("0".repeat(26), "no such code")] {
        let refused = store.authority.accept_invitation(&code, None).await.unwrap_err();
        assert!(refused.to_string().contains(what), "{refused}");
    }
}

#[tokio::test]
async fn a_person_who_is_shut_out_is_so_at_once_whatever_the_provider_says_until_readmitted() {
    let store = Store::start().await;
    let person = store.authority.sign_in(named("Ola", Some(organize()))).await.unwrap();
    let token = store.token_of(&person).await;
    store.authority.authorize(&token, now()).await.unwrap();

    revoke_person(store.log.pool(), &person.id).await.unwrap();
    assert!(is_shut_out(&store.authority.authorize(&token, now()).await));
    let again = store.authority.sign_in(named("Ola", Some(organize()))).await;
    assert!(matches!(again, Err(SignInError::Refused(PersonError::Revoked { .. }))));

    readmit_person(store.log.pool(), &person.id).await.unwrap();
    let again = store.authority.sign_in(named("Aleksandra", Some(organize()))).await.unwrap();
    assert_eq!((&again.id, again.name.as_str()), (&person.id, "Aleksandra"));
    store.authority.authorize(&store.token_of(&again).await, now()).await.unwrap();
    // What was given before may have been stolen.
    assert!(is_shut_out(&store.authority.authorize(&token, now()).await));
}

#[tokio::test]
async fn a_person_who_may_do_nothing_is_known_and_gets_no_token() {
    let store = Store::start().await;
    let person = store.authority.sign_in(named("Ola", None)).await.unwrap();
    assert!(store.authority.issue_to_person(&person, now()).await.unwrap().is_none());
}

/// The answer that holds the token may be lost on the way, or no token be made: the invitation must not be, too.
#[tokio::test]
async fn the_attempt_that_used_an_invitation_is_answered_again() {
    let store = Store::start().await;
    let code = store.code(INVITATION_LIFETIME).await;
    let first = store.authority.accept_invitation(&code, Some("of-this-browser")).await.unwrap();
    let again = store.authority.accept_invitation(&code, Some("of-this-browser")).await.unwrap();
    assert_eq!(again.id, first.id);
    for other in [None, Some("of-another")] {
        let refused = store.authority.accept_invitation(&code, other).await;
        assert!(matches!(refused, Err(SignInError::Refused(PersonError::Used))), "{other:?}");
    }
}

/// All that a second store needs to shut out the same people is in the log. Its tokens are its own.
#[tokio::test]
async fn a_second_store_that_has_the_people_shuts_out_the_same() {
    let (first, second) = (Store::start().await, Store::start().await);
    let person = first.authority.sign_in(named("Ola", Some(organize()))).await.unwrap();
    let of_first = first.token_of(&person).await;
    revoke_person(first.log.pool(), &person.id).await.unwrap();
    let code = first.code(INVITATION_LIFETIME).await;
    copy_streams(&first.log, &second.log, PERSON_STREAM, &PersonEvent::NAMES).await;

    let refused = second.authority.sign_in(named("Ola", Some(organize()))).await;
    assert!(matches!(refused, Err(SignInError::Refused(PersonError::Revoked { .. }))));
    let invited = second.authority.accept_invitation(&code, None).await.unwrap();
    second.authority.authorize(&second.token_of(&invited).await, now()).await.unwrap();
    let elsewhere = second.authority.authorize(&of_first, now()).await;
    assert!(matches!(elsewhere, Err(AuthorityError::Refused(RefusedToken::UnknownKey))));
}

#[tokio::test]
async fn a_person_about_whom_a_newer_program_wrote_is_not_let_in() {
    let store = Store::start().await;
    let person = store.authority.sign_in(named("Ola", Some(organize()))).await.unwrap();
    let token = store.token_of(&person).await;
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         VALUES ('person', $1, 2, 'PersonSuspended', '1', '{}', '{}')",
    )
    .bind(person.id.as_str())
    .execute(store.log.pool())
    .await
    .unwrap();
    assert!(is_shut_out(&store.authority.authorize(&token, now()).await));
}
