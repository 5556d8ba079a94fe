//! The promises of an authority, over a real log.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{ApiClientError, ApiClientId, Scope, Timestamp};
use event_store::testing::fresh_store;
use event_store::{PostgresLog, head};
use futures_util::future::join_all;
use identity::testing::Forger;
use identity::{
    AccessToken, Authority, AuthorityError, CLIENT_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME, RefusedToken,
    RegistrationError, Subject, register, retire_keys, revoke, revoke_secret, rotate, rotate_key, set_scopes,
};
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;

async fn authority(pool: &PgPool) -> Authority {
    Authority::new(PostgresLog::new(pool.clone()), head(pool).await.unwrap().store_id)
}

/// Minutes after the test began. The database has the same clock.
fn minute(minute: i64) -> Timestamp {
    static BEGUN: LazyLock<i64> = LazyLock::new(|| OffsetDateTime::now_utc().unix_timestamp() * 1000);
    Timestamp::from_unix_ms(*BEGUN + minute * 60_000, 0).unwrap()
}

fn crm() -> ApiClientId {
    "crm-import".parse().unwrap()
}

async fn token(authority: &Authority, secret: &str, now: Timestamp) -> Result<String, AuthorityError> {
    let client = authority.authenticate("crm-import", secret.to_owned(), now).await?;
    Ok(authority.issue_to_client(client, None, now).await?.text)
}

async fn refusal(authority: &Authority, token: &str, now: Timestamp) -> RefusedToken {
    match authority.authorize(token, now).await {
        Err(AuthorityError::Refused(refused)) => refused,
        other => panic!("it is not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_client_gets_a_token_for_its_secret_and_it_counts_until_it_expires() {
    let (pool, _) = fresh_store().await;
    let authority = authority(&pool).await;
    let secret = register(&pool, &crm(), "crm organize".parse().unwrap()).await.unwrap();
    let client = authority.authenticate("crm-import", secret.reveal().to_owned(), minute(0)).await.unwrap();
    let issued =
        authority.issue_to_client(client.clone(), Some("crm".parse().unwrap()), minute(0)).await.unwrap();
    assert_eq!((issued.expires_at, issued.scopes.to_string()), (minute(15), "crm".to_owned()));
    assert!(!format!("{issued:?}").contains(&issued.text));
    // The second time from memory.
    for _ in 0..2 {
        let bearer = authority.authorize(&issued.text, minute(14)).await.unwrap();
        let subject = Subject::Client { id: crm(), secret_id: secret.id().to_owned() };
        assert_eq!((bearer.subject, bearer.scopes), (subject, "crm".parse().unwrap()));
        assert_eq!(refusal(&authority, &issued.text, minute(15)).await, RefusedToken::Expired);
    }
    let more = authority.issue_to_client(client, Some("operate".parse().unwrap()), minute(0)).await;
    assert!(matches!(more, Err(AuthorityError::ScopeNotAllowed { .. })), "{more:?}");
}

#[tokio::test]
async fn nobody_gets_in_with_anything_but_an_active_secret_of_the_client() {
    let (pool, _) = fresh_store().await;
    let authority = authority(&pool).await;
    let secret = register(&pool, &crm(), "crm".parse().unwrap()).await.unwrap();
    let other: ApiClientId = "other".parse().unwrap();
    let others = register(&pool, &other, "crm".parse().unwrap()).await.unwrap();
    let mut nearly = secret.reveal().to_owned();
    let last = nearly.pop().unwrap();
    nearly.push(if last == 'A' { 'B' } else { 'A' });
    for (name, shown) in [
        ("crm-import", others.reveal()),
        ("crm-import", &nearly),
        ("crm-import", ""),
        ("crm-import", secret.id()),
        ("nobody", secret.reveal()),
        ("CRM-IMPORT", secret.reveal()),
        ("", ""),
    ] {
        let refused = authority.authenticate(name, shown.to_owned(), minute(0)).await.unwrap_err();
        assert!(matches!(refused, AuthorityError::UnknownClient), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn what_one_process_takes_back_counts_at_once_in_every_other() {
    let (pool, _) = fresh_store().await;
    let (here, there) = (authority(&pool).await, authority(&pool).await);
    let first = register(&pool, &crm(), "crm".parse().unwrap()).await.unwrap();
    let old = token(&here, first.reveal(), minute(0)).await.unwrap();
    there.authorize(&old, minute(0)).await.unwrap();

    // A rotation without downtime: both secrets work, the older one until the stated time, and so do their tokens.
    let hour = Some(Duration::from_secs(3600));
    let (second, until) = rotate(&pool, &crm(), hour).await.unwrap();
    for secret in [first.reveal(), second.reveal()] {
        token(&there, secret, minute(2)).await.unwrap();
    }
    let third = rotate(&pool, &crm(), hour).await.unwrap_err();
    let RegistrationError::Refused(ApiClientError::TooManySecrets { until: told }) = third else {
        panic!("{third}")
    };
    assert_eq!(told, until);
    let late = token(&here, first.reveal(), minute(59)).await.unwrap();
    assert_eq!(refusal(&there, &late, minute(61)).await, RefusedToken::Expired, "it ends with its secret");
    token(&here, first.reveal(), minute(61)).await.unwrap_err();

    let new = token(&here, second.reveal(), minute(3)).await.unwrap();
    there.authorize(&new, minute(3)).await.unwrap();
    revoke_secret(&pool, &crm(), first.id().to_owned()).await.unwrap();
    for authority in [&here, &there] {
        // Also by a clock that is behind.
        assert_eq!(refusal(authority, &old, minute(-60)).await, RefusedToken::RevokedSecret);
        authority.authorize(&new, minute(3)).await.unwrap();
    }
    revoke(&pool, &crm()).await.unwrap();
    for authority in [&here, &there] {
        assert_eq!(refusal(authority, &new, minute(4)).await, RefusedToken::RevokedClient);
        token(authority, second.reveal(), minute(4)).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_client_that_loses_a_scope_loses_the_tokens_that_have_it() {
    let (pool, _) = fresh_store().await;
    let authority = authority(&pool).await;
    let secret = register(&pool, &crm(), "crm organize".parse().unwrap()).await.unwrap();
    let both = token(&authority, secret.reveal(), minute(0)).await.unwrap();
    set_scopes(&pool, &crm(), "crm".parse().unwrap()).await.unwrap();
    assert_eq!(refusal(&authority, &both, minute(1)).await, RefusedToken::RevokedScope);
    let less = token(&authority, secret.reveal(), minute(1)).await.unwrap();
    assert_eq!(authority.authorize(&less, minute(1)).await.unwrap().scopes, "crm".parse().unwrap());
}

#[tokio::test]
async fn a_client_that_a_newer_program_wrote_about_is_refused() {
    let (pool, _) = fresh_store().await;
    let authority = authority(&pool).await;
    let secret = register(&pool, &crm(), "crm".parse().unwrap()).await.unwrap();
    let held = token(&authority, secret.reveal(), minute(0)).await.unwrap();
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         VALUES ('api_client', 'crm-import', 3, 'ApiClientSuspended', '1', '{}', '{}')",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(refusal(&authority, &held, minute(1)).await, RefusedToken::RevokedClient);
    token(&authority, secret.reveal(), minute(1)).await.unwrap_err();
}

#[tokio::test]
async fn several_processes_that_start_at_once_make_one_key() {
    let (pool, _) = fresh_store().await;
    let authorities = join_all((0..8).map(|_| authority(&pool))).await;
    let issued = join_all(authorities.iter().map(admins_token)).await;
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM signing_keys").fetch_one(&pool).await.unwrap();
    assert_eq!(keys, 1);
    for token in issued {
        authorities[0].authorize(&token.text, minute(0)).await.unwrap();
    }
}

/// A token from the command line, for an hour.
async fn admins_token(authority: &Authority) -> AccessToken {
    let (name, scopes) = ("ewa".parse().unwrap(), "crm".parse().unwrap());
    authority.issue_to_admin(name, scopes, Duration::from_secs(3600)).await.unwrap()
}

#[tokio::test]
async fn an_admins_token_lives_a_day_at_most() {
    let (pool, _) = fresh_store().await;
    let authority = authority(&pool).await;
    let (name, scopes) = ("ewa".parse().unwrap(), "crm".parse().unwrap());
    let token = authority.issue_to_admin(name, scopes, 9 * MAX_TOKEN_LIFETIME).await.unwrap();
    let principal = authority.authorize(&token.text, minute(24 * 60 - 1)).await.unwrap();
    assert_eq!(principal.subject.to_string(), "admin:ewa");
    assert_eq!(refusal(&authority, &token.text, minute(24 * 60 + 1)).await, RefusedToken::Expired);
    // Issued where the clock was a day ahead.
    assert_eq!(refusal(&authority, &token.text, minute(-24 * 60)).await, RefusedToken::TooLong);
    assert!(CLIENT_TOKEN_LIFETIME < MAX_TOKEN_LIFETIME);
}

#[tokio::test]
async fn a_key_that_is_replaced_counts_until_its_tokens_end_and_one_that_is_retired_does_not() {
    let (pool, _) = fresh_store().await;
    let (here, there) = (authority(&pool).await, authority(&pool).await);
    let first = admins_token(&here).await.text;
    there.authorize(&first, minute(0)).await.unwrap();
    rotate_key(&pool).await.unwrap();
    let second = admins_token(&here).await.text;
    assert_ne!(part(&first, 0)["kid"], part(&second, 0)["kid"]);
    for authority in [&here, &there] {
        for token in [&first, &second] {
            authority.authorize(token, minute(0)).await.unwrap();
        }
    }
    // A day later no token of it can be left.
    sqlx::query("UPDATE signing_keys SET replaced_at = replaced_at - interval '25 hours'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(refusal(&there, &first, minute(0)).await, RefusedToken::UnknownKey);

    let kid = retire_keys(&pool).await.unwrap();
    for authority in [&here, &there] {
        // Remembered or not.
        assert_eq!(refusal(authority, &second, minute(0)).await, RefusedToken::UnknownKey);
    }
    let third = admins_token(&here).await.text;
    assert_eq!(part(&third, 0)["kid"], Value::from(kid));
    authority(&pool).await.authorize(&third, minute(0)).await.unwrap();
    here.authorize(&third, minute(0)).await.unwrap();
}

/// The header or the claims of a token.
fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_says_what_rfc_9068_wants() {
    let (pool, _) = fresh_store().await;
    let authority = authority(&pool).await;
    let secret = register(&pool, &crm(), "crm organize".parse().unwrap()).await.unwrap();
    let tokens = [
        token(&authority, secret.reveal(), minute(0)).await.unwrap(),
        token(&authority, secret.reveal(), minute(0)).await.unwrap(),
    ];
    let store = format!("urn:leadlog:store:{}", head(&pool).await.unwrap().store_id);
    let header = part(&tokens[0], 0);
    assert_eq!((&header["alg"], &header["typ"]), (&"ES256".into(), &"at+jwt".into()));
    let claims = part(&tokens[0], 1);
    for (name, expected) in [
        ("iss", Value::from(store.clone())),
        ("aud", store.into()),
        ("sub", "client:crm-import".into()),
        ("client_id", "crm-import".into()),
        ("scope", "organize crm".into()),
        ("iat", minute(0).unix_seconds().into()),
        ("exp", minute(15).unix_seconds().into()),
        ("secret_id", secret.id().into()),
    ] {
        assert_eq!(claims[name], expected, "{name}");
    }
    assert_ne!(claims["jti"], part(&tokens[1], 1)["jti"]);
    let admins = part(&admins_token(&authority).await.text, 1);
    assert_eq!((&admins["sub"], &admins["client_id"]), (&"admin:ewa".into(), &"leadlog-cli".into()));
    assert!(admins.get("secret_id").is_none());
}

#[tokio::test]
async fn no_forgery_counts() {
    let (pool, _) = fresh_store().await;
    let authority = authority(&pool).await;
    let store = head(&pool).await.unwrap().store_id;
    admins_token(&authority).await;
    let forger = Forger::of(&pool, store, minute(0)).await;
    authority.authorize(&forger.genuine(Scope::Crm), minute(0)).await.unwrap();
    for forgery in forger.forgeries(Scope::Crm) {
        let found = refusal(&authority, &forgery.token, minute(0)).await;
        assert_eq!(found, forgery.refusal, "{}", forgery.name);
    }
    // Of another client's secret, though all else is right.
    let own = register(&pool, &crm(), "crm".parse().unwrap()).await.unwrap();
    let others = register(&pool, &"other".parse().unwrap(), "crm".parse().unwrap()).await.unwrap();
    let with = |secret_id: &str| forger.of_client("crm-import", secret_id, Scope::Crm);
    authority.authorize(&with(own.id()), minute(0)).await.unwrap();
    assert_eq!(refusal(&authority, &with(others.id()), minute(0)).await, RefusedToken::RevokedSecret);
    // Of another store, which is whole in itself.
    let (other_pool, _) = fresh_store().await;
    let foreign = admins_token(&self::authority(&other_pool).await).await;
    assert_eq!(refusal(&authority, &foreign.text, minute(0)).await, RefusedToken::UnknownKey);
}

#[tokio::test]
async fn while_the_database_is_silent_nobody_is_let_in() {
    let (pool, _) = fresh_store().await;
    let authority = authority(&pool).await;
    let secret = register(&pool, &crm(), "crm".parse().unwrap()).await.unwrap();
    let held = token(&authority, secret.reveal(), minute(0)).await.unwrap();
    authority.authorize(&held, minute(0)).await.unwrap();
    for table in ["events", "signing_keys"] {
        let mut hangs = pool.begin().await.unwrap();
        sqlx::query(&format!("LOCK TABLE {table}")).execute(&mut *hangs).await.unwrap();
        let answers = join_all((0..3).map(|_| authority.authorize(&held, minute(0)))).await;
        for answer in answers {
            assert!(matches!(answer, Err(AuthorityError::Unavailable(_))), "{table}: {answer:?}");
        }
        hangs.rollback().await.unwrap();
        authority.authorize(&held, minute(0)).await.unwrap();
    }
}
