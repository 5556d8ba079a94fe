//! Devices that come in by codes, get tokens by their key, and are shut out.

use std::time::Duration;

use domain::{
    ApiClientError, ENROLMENT_STREAM, EnrolmentError, EnrolmentEvent, EnrolmentId, FeedEvent, Scope, Scopes,
    StoreId, Timestamp,
};
use event_store::testing::fresh_store;
use event_store::{EventLog, PostgresLog};
use futures_util::future::join_all;
use identity::testing::{KeyedDevice, copy_streams};
use identity::{
    Authority, AuthorityError, BringError, CODE_LIFETIME, EnrolError, NewSecret, RefusedAssertion,
    RefusedToken, Subject, offer, offer_to_client, revoke_enrolment, shared_enrolment, take_in_enrolments,
};
use serde_json::value::RawValue;
use sqlx::PgPool;
use time::OffsetDateTime;

struct Store {
    pool: PgPool,
    log: PostgresLog,
    id: StoreId,
    authority: Authority,
}

impl Store {
    async fn start() -> Self {
        let (pool, _) = fresh_store().await;
        event_store::migrate(&pool).await.unwrap();
        let log = PostgresLog::new(pool.clone());
        let id = log.head().await.unwrap().store_id;
        Self { authority: Authority::new(log.clone(), id), pool, log, id }
    }

    async fn code(&self, name: &str) -> String {
        let (name, campaign) = (name.parse().unwrap(), "shootout-2026".parse().unwrap());
        offer(&self.pool, name, campaign, CODE_LIFETIME).await.unwrap().code.reveal()
    }

    async fn enrolled(&self, name: &str, device: &KeyedDevice) -> EnrolmentId {
        self.authority.enrol(&self.code(name).await, device.enrolled()).await.unwrap().0
    }

    async fn token(&self, text: &str) -> Result<String, AuthorityError> {
        let device = self.authority.authenticate_device(text, now()).await?;
        Ok(self.authority.issue_to_device(device, now()).await?.text)
    }

    async fn token_of(&self, device: &KeyedDevice, enrolment: &EnrolmentId) -> String {
        self.token(&device.assertion(enrolment, self.id, now())).await.unwrap()
    }
}

fn now() -> Timestamp {
    Timestamp::new(OffsetDateTime::now_utc())
}

fn only(scope: Scope) -> Scopes {
    Scopes::new([scope]).unwrap()
}

#[tokio::test]
async fn a_device_comes_in_once_by_a_code_and_gets_tokens_by_its_key() {
    let store = Store::start().await;
    let code = store.code("iPad 7").await;
    let device = KeyedDevice::new("ipad-7");
    let (enrolment, terms) = store.authority.enrol(&code, device.enrolled()).await.unwrap();
    assert_eq!(terms.device_name.to_string(), "iPad 7");
    // The answer was lost, and the person typed it again.
    let again = store.authority.enrol(&code.to_lowercase(), device.enrolled()).await.unwrap();
    assert_eq!(again.0, enrolment);
    let other = store.authority.enrol(&code, KeyedDevice::new("ipad-8").enrolled()).await;
    assert!(matches!(other, Err(EnrolError::Refused(EnrolmentError::Used))), "{other:?}");
    for no_code in ["", "0S9S5T-21NE4", &"0".repeat(26)] {
        let refused = store.authority.enrol(no_code, device.enrolled()).await;
        assert!(matches!(refused, Err(EnrolError::UnknownCode)), "{no_code}: {refused:?}");
    }

    let token = store.token_of(&device, &enrolment).await;
    let principal = store.authority.authorize(&token, now()).await.unwrap();
    assert_eq!((principal.subject, principal.scopes), (Subject::Device(enrolment), only(Scope::Capture)));
    // Nothing in the database opens the store.
    let events: Vec<String> =
        sqlx::query_scalar("SELECT payload::text FROM events").fetch_all(&store.pool).await.unwrap();
    assert!(events.iter().all(|event| !event.contains(&code) && !event.contains(&code.replace('-', ""))));
}

/// Of two servers of a store, the one that did not let the device in has looked a moment before.
#[tokio::test]
async fn a_device_that_was_just_let_in_is_known_to_every_server() {
    let store = Store::start().await;
    let other = Authority::new(store.log.clone(), store.id);
    let first = KeyedDevice::new("ipad-7");
    let token = store.token_of(&first, &store.enrolled("iPad 7", &first).await).await;
    other.authorize_lately(&token, now()).await.unwrap();

    let second = KeyedDevice::new("ipad-8");
    let enrolment = store.enrolled("iPad 8", &second).await;
    let token = store.token_of(&second, &enrolment).await;
    let principal = other.authorize_lately(&token, now()).await.unwrap();
    assert_eq!(principal.subject, Subject::Device(enrolment));
}

#[tokio::test]
async fn of_two_devices_with_one_code_one_comes_in() {
    let store = Store::start().await;
    let code = store.code("iPad 7").await;
    let devices: Vec<KeyedDevice> =
        (0..4).map(|number| KeyedDevice::new(&format!("ipad-{number}"))).collect();
    let tries = devices.iter().map(|device| store.authority.enrol(&code, device.enrolled()));
    let came_in = join_all(tries).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(came_in, 1);
}

#[tokio::test]
async fn a_code_ends() {
    let store = Store::start().await;
    let (name, campaign) = ("iPad 7".parse().unwrap(), "shootout-2026".parse().unwrap());
    let offered = offer(&store.pool, name, campaign, Duration::ZERO).await.unwrap();
    let refused = store.authority.enrol(&offered.code.reveal(), KeyedDevice::new("ipad-7").enrolled()).await;
    assert!(matches!(refused, Err(EnrolError::Refused(EnrolmentError::Expired { .. }))), "{refused:?}");
    let code = store.code("iPad 8").await;
    let enrolments = store.authority.enrolments().await.unwrap();
    let (id, _) = enrolments.iter().find(|(id, _)| **id != offered.id).unwrap();
    revoke_enrolment(&store.pool, id).await.unwrap();
    let refused = store.authority.enrol(&code, KeyedDevice::new("ipad-8").enrolled()).await;
    assert!(matches!(refused, Err(EnrolError::Refused(EnrolmentError::Revoked { .. }))), "{refused:?}");
}

#[tokio::test]
async fn what_is_not_an_assertion_of_the_device_gets_no_token() {
    let store = Store::start().await;
    let device = KeyedDevice::new("ipad-7");
    let enrolment = store.enrolled("iPad 7", &device).await;
    for forged in device.forgeries(&enrolment, store.id, now()) {
        match store.token(&forged.text).await {
            Err(AuthorityError::RefusedAssertion(refusal)) => {
                assert_eq!(refusal, forged.refusal, "{}", forged.name)
            }
            other => panic!("{}: {other:?}", forged.name),
        }
    }
    // Each counts once, in every process of the store.
    let genuine = device.assertion(&enrolment, store.id, now());
    store.token(&genuine).await.unwrap();
    let elsewhere = Authority::new(store.log.clone(), store.id);
    let shown = elsewhere.authenticate_device(&genuine, now()).await.unwrap();
    let replayed = elsewhere.issue_to_device(shown, now()).await.unwrap_err();
    assert!(matches!(replayed, AuthorityError::RefusedAssertion(RefusedAssertion::Replayed)), "{replayed}");
}

#[tokio::test]
async fn assertions_that_were_used_up_are_forgotten_when_they_would_be_refused_anyway() {
    let store = Store::start().await;
    let device = KeyedDevice::new("ipad-7");
    let enrolment = store.enrolled("iPad 7", &device).await;
    let count = async || {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM used_assertions").fetch_one(&store.pool).await.unwrap();
        count
    };
    for _ in 0..3 {
        store.token_of(&device, &enrolment).await;
    }
    assert_eq!(count().await, 3);
    sqlx::query("UPDATE used_assertions SET expires_at = expires_at - interval '2 hours'")
        .execute(&store.pool)
        .await
        .unwrap();
    store.token_of(&device, &enrolment).await;
    assert_eq!(count().await, 1);
}

/// AUT-3: what it holds is handed in, and it reads nothing any more; a token that it has says the same.
#[tokio::test]
async fn a_device_that_was_shut_out_may_hand_in_what_it_holds() {
    let store = Store::start().await;
    let device = KeyedDevice::new("ipad-7");
    let enrolment = store.enrolled("iPad 7", &device).await;
    let before = store.token_of(&device, &enrolment).await;
    let elsewhere = Authority::new(store.log.clone(), store.id);
    assert_eq!(elsewhere.authorize(&before, now()).await.unwrap().scopes, only(Scope::Capture));
    revoke_enrolment(&store.pool, &enrolment).await.unwrap();
    let after = store.token_of(&device, &enrolment).await;
    for authority in [&store.authority, &elsewhere] {
        for token in [&before, &after] {
            let principal = authority.authorize(token, now()).await.unwrap();
            assert_eq!(principal.scopes, only(Scope::Quarantine));
        }
    }
}

/// What cannot be read may be that it was shut out.
#[tokio::test]
async fn an_enrolment_that_a_newer_program_wrote_about_lets_nobody_in() {
    let store = Store::start().await;
    let device = KeyedDevice::new("ipad-7");
    let enrolment = store.enrolled("iPad 7", &device).await;
    let held = store.token_of(&device, &enrolment).await;
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         VALUES ('enrolment', $1, 3, 'EnrolmentSuspended', '1', '{}', '{}')",
    )
    .bind(enrolment.as_str())
    .execute(&store.pool)
    .await
    .unwrap();
    let refused = store.authority.authorize(&held, now()).await.unwrap_err();
    assert!(matches!(refused, AuthorityError::Refused(RefusedToken::UnknownDevice)), "{refused}");
    let refused = store.token(&device.assertion(&enrolment, store.id, now())).await.unwrap_err();
    assert!(
        matches!(refused, AuthorityError::RefusedAssertion(RefusedAssertion::UnknownDevice)),
        "{refused}"
    );
}

/// A second store, a hub, admits the same devices without the first: all that it needs is in the log.
#[tokio::test]
async fn a_second_store_that_has_the_enrolments_admits_the_same_devices_and_shuts_out_the_same() {
    let (first, second) = (Store::start().await, Store::start().await);
    let (device, shut_out) = (KeyedDevice::new("ipad-7"), KeyedDevice::new("ipad-8"));
    let enrolment = first.enrolled("iPad 7", &device).await;
    let of_shut_out = first.enrolled("iPad 8", &shut_out).await;
    revoke_enrolment(&first.pool, &of_shut_out).await.unwrap();
    let stranger = second.token(&device.assertion(&enrolment, second.id, now())).await.unwrap_err();
    assert!(matches!(stranger, AuthorityError::RefusedAssertion(RefusedAssertion::UnknownDevice)));

    copy_streams(&first.log, &second.log, ENROLMENT_STREAM, &EnrolmentEvent::NAMES).await;

    let token = second.token_of(&device, &enrolment).await;
    assert_eq!(second.authority.authorize(&token, now()).await.unwrap().scopes, only(Scope::Capture));
    let token = second.token_of(&shut_out, &of_shut_out).await;
    assert_eq!(second.authority.authorize(&token, now()).await.unwrap().scopes, only(Scope::Quarantine));
    // What is for one store counts in no other.
    let for_first = second.token(&device.assertion(&enrolment, first.id, now())).await.unwrap_err();
    assert!(matches!(for_first, AuthorityError::RefusedAssertion(RefusedAssertion::Audience)), "{for_first}");
    let of_first = first.token_of(&device, &enrolment).await;
    let refused = second.authority.authorize(&of_first, now()).await.unwrap_err();
    assert!(matches!(refused, AuthorityError::Refused(RefusedToken::UnknownKey)), "{refused}");
}

/// What only adds is believed on what was known a second ago, and no longer.
#[tokio::test]
async fn a_store_that_cannot_look_lets_nobody_in_for_longer_than_a_second() {
    let store = Store::start().await;
    let device = KeyedDevice::new("ipad-7");
    let enrolment = store.enrolled("iPad 7", &device).await;
    let token = store.token_of(&device, &enrolment).await;
    store.authority.authorize_lately(&token, now()).await.unwrap();
    drop(store.pool.close());
    let since = std::time::Instant::now();
    while store.authority.authorize_lately(&token, now()).await.is_ok() {
        assert!(since.elapsed() < Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    let refused = store.authority.authorize(&token, now()).await.unwrap_err();
    assert!(matches!(refused, AuthorityError::Unavailable(_)), "{refused}");
}

/// What one store tells another of an enrolment, once and again.
async fn tell(from: &Store, to: &Store, id: &EnrolmentId) -> Vec<EnrolmentId> {
    let told = shared_enrolment(&from.log, id).await.unwrap();
    take_in_enrolments(&to.log, &[told.clone(), told].concat()).await.unwrap()
}

/// A hub and its cloud write one stream, and there is one thing alone that both may write.
#[tokio::test]
async fn two_stores_admit_the_same_devices_and_either_shuts_one_out_for_both() {
    let (cloud, hub) = (Store::start().await, Store::start().await);
    let (first, second) = (KeyedDevice::new("ipad-1"), KeyedDevice::new("ipad-2"));
    let of_cloud = cloud.enrolled("iPad 1", &first).await;
    let of_hub = hub.enrolled("iPad 2", &second).await;
    assert!(tell(&cloud, &hub, &of_cloud).await.is_empty());
    assert!(tell(&hub, &cloud, &of_hub).await.is_empty());
    hub.token_of(&first, &of_cloud).await;
    cloud.token_of(&second, &of_hub).await;

    // Each where it did not come in, and one of them at both at the same time.
    revoke_enrolment(&hub.pool, &of_cloud).await.unwrap();
    revoke_enrolment(&cloud.pool, &of_cloud).await.unwrap();
    revoke_enrolment(&cloud.pool, &of_hub).await.unwrap();
    for (from, to) in [(&cloud, &hub), (&hub, &cloud)] {
        for id in [&of_cloud, &of_hub] {
            assert!(tell(from, to, id).await.is_empty());
        }
        assert_eq!(to.log.read_stream(ENROLMENT_STREAM, of_hub.as_str()).await.unwrap().len(), 3);
    }
    let enrolments = hub.authority.enrolments().await.unwrap();
    assert!([&of_cloud, &of_hub].iter().all(|id| enrolments.get(id).unwrap().revoked_at().is_some()));
}

/// A code works in the store that made it: two devices never come in by one.
#[tokio::test]
async fn an_offer_does_not_travel_and_what_does_not_fit_changes_nothing() {
    let (cloud, hub) = (Store::start().await, Store::start().await);
    let code = cloud.code("iPad 1").await;
    let enrolments = cloud.authority.enrolments().await.unwrap();
    let id = enrolments.iter().next().unwrap().0.clone();
    assert!(shared_enrolment(&cloud.log, &id).await.unwrap().is_empty());
    assert!(tell(&cloud, &hub, &id).await.is_empty());

    let restored = Store::start().await;
    copy_streams(&cloud.log, &restored.log, ENROLMENT_STREAM, &EnrolmentEvent::NAMES).await;
    cloud.authority.enrol(&code, KeyedDevice::new("ipad-1").enrolled()).await.unwrap();
    let told = shared_enrolment(&cloud.log, &id).await.unwrap();
    let changed = |change: fn(&mut FeedEvent)| {
        let mut told = told.clone();
        change(&mut told[1]);
        told
    };
    let bad = [
        told[..1].to_vec(),
        told[1..].to_vec(),
        changed(|event| event.sequence = 3),
        changed(|event| event.event_version = "2".to_owned()),
        changed(|event| event.event_type = "EnrolmentRevoked".to_owned()),
        changed(|event| event.payload = RawValue::from_string("[]".to_owned()).unwrap()),
    ];
    for bad in bad {
        assert_eq!(take_in_enrolments(&hub.log, &bad).await.unwrap(), std::slice::from_ref(&id));
    }
    assert_eq!(hub.log.head().await.unwrap().position, 0);
    // A store that was restored from an older copy, and has taken the offer back since.
    revoke_enrolment(&restored.pool, &id).await.unwrap();
    assert_eq!(tell(&cloud, &restored, &id).await, [id]);
}

/// The answer to the first time may have been lost (`leadlog hubs enrol`).
#[tokio::test]
async fn a_hub_brings_its_own_secret_and_may_bring_the_same_again() {
    let store = Store::start().await;
    let (name, relay) = ("hub-1".parse().unwrap(), only(Scope::Relay));
    let offered = offer_to_client(&store.pool, &name, relay, CODE_LIFETIME).await.unwrap();
    let code = offered.code.reveal();
    let (own, other) = (NewSecret::make().unwrap(), NewSecret::make().unwrap());
    let bring = async |code: &str, secret: &str| store.authority.bring_secret(code, secret).await;
    assert!(matches!(bring(&code, "password").await, Err(BringError::NoSecret)));
    let unknown = "7ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ";
    assert!(matches!(bring(unknown, own.reveal()).await, Err(BringError::UnknownCode)));
    for _ in 0..2 {
        assert_eq!(bring(&code, own.reveal()).await.unwrap(), name);
    }
    let used = bring(&code, other.reveal()).await;
    assert!(matches!(used, Err(BringError::Refused(ApiClientError::CodeUsed))));
    // Its id is no secret.
    let guessed = own.reveal().replace(&own.reveal()[30..], &other.reveal()[30..]);
    let used = bring(&code, &guessed).await;
    assert!(matches!(used, Err(BringError::Refused(ApiClientError::CodeUsed))), "{used:?}");
    let client = store.authority.authenticate(name.as_str(), own.reveal().to_owned(), now()).await.unwrap();
    assert!(store.authority.issue_to_client(client, None, now()).await.is_ok());
}
