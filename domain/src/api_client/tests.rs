use cqrs_es::test::TestFramework;

use super::*;

type Client = TestFramework<ApiClient>;

fn hour(hour: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_779_537_600_000 + hour * 3_600_000, 0).unwrap()
}

fn secret(id: &str) -> ApiClientSecret {
    let hash = SecretHash::new(format!("$argon2id${id}"));
    ApiClientSecret { secret_id: id.to_owned(), hash }
}

fn register() -> ApiClientCommand {
    let (name, scopes) = ("crm-import".parse().unwrap(), "crm".parse().unwrap());
    ApiClientCommand::Register { name, scopes, secret: secret("a") }
}

fn rotate(id: &str, keep_old_until: impl Into<Option<Timestamp>>) -> ApiClientCommand {
    ApiClientCommand::Rotate { secret: secret(id), keep_old_until: keep_old_until.into() }
}

fn registered() -> ApiClientEvent {
    let (name, scopes) = ("crm-import".parse().unwrap(), "crm".parse().unwrap());
    ApiClientEvent::Registered { name, scopes, at: hour(0) }
}

fn added(id: &str, at: Timestamp) -> ApiClientEvent {
    ApiClientEvent::SecretAdded { secret: secret(id), by_code: false, at }
}

fn revoked(id: &str, at: Timestamp) -> ApiClientEvent {
    ApiClientEvent::SecretRevoked { secret_id: id.to_owned(), at }
}

fn ends(id: &str, expires_at: Timestamp, at: Timestamp) -> ApiClientEvent {
    ApiClientEvent::SecretExpirySet { secret_id: id.to_owned(), expires_at, at }
}

/// Registered at hour 0, and rotated at hour 1: the first secret goes on until hour 25.
fn rotated() -> Vec<ApiClientEvent> {
    vec![registered(), added("a", hour(0)), added("b", hour(1)), ends("a", hour(25), hour(1))]
}

fn state(events: Vec<ApiClientEvent>) -> ApiClient {
    let mut client = ApiClient::default();
    events.into_iter().for_each(|event| client.evolve(event));
    client
}

#[test]
fn given_nothing_when_registered_then_it_has_a_secret() {
    Client::with(())
        .given_no_previous_events()
        .when((register(), hour(0)))
        .then_expect_events(vec![registered(), added("a", hour(0))]);
}

#[test]
fn given_a_client_when_registered_again_then_it_is_refused_also_after_it_was_revoked() {
    let mut events = vec![registered(), added("a", hour(0))];
    for refused in [ApiClientError::Exists, ApiClientError::Revoked { at: hour(1) }] {
        Client::with(()).given(events.clone()).when((register(), hour(1))).then_expect_error(refused);
        events.push(ApiClientEvent::Revoked { at: hour(1) });
    }
}

#[test]
fn given_a_secret_when_rotated_then_the_older_one_goes_on_until_the_stated_time() {
    Client::with(())
        .given(vec![registered(), added("a", hour(0))])
        .when((rotate("b", hour(25)), hour(1)))
        .then_expect_events(vec![added("b", hour(1)), ends("a", hour(25), hour(1))]);
    let client = state(rotated());
    for (at, active) in [(hour(24), vec!["a", "b"]), (hour(25), vec!["b"])] {
        let ids: Vec<&str> = client.active_secrets(at).map(|held| held.given.secret_id.as_str()).collect();
        assert_eq!(ids, active, "{at}");
    }
}

#[test]
fn given_two_active_secrets_when_rotated_then_it_must_be_said_that_the_older_ones_end() {
    let until = Some(hour(25));
    Client::with(())
        .given(rotated())
        .when((rotate("c", hour(26)), hour(2)))
        .then_expect_error(ApiClientError::TooManySecrets { until });
    Client::with(()).given(rotated()).when((rotate("c", None), hour(2))).then_expect_events(vec![
        added("c", hour(2)),
        revoked("a", hour(2)),
        revoked("b", hour(2)),
    ]);
    // When the oldest has ended there is room again.
    Client::with(())
        .given(rotated())
        .when((rotate("c", hour(50)), hour(25)))
        .then_expect_events(vec![added("c", hour(25)), ends("b", hour(50), hour(25))]);
}

#[test]
fn a_rotation_never_prolongs_a_secret_and_never_ends_one_in_the_past() {
    let events = vec![registered(), added("a", hour(0)), ends("a", hour(3), hour(0))];
    Client::with(())
        .given(events)
        .when((rotate("b", hour(25)), hour(1)))
        .then_expect_events(vec![added("b", hour(1))]);
    Client::with(())
        .given(vec![registered(), added("a", hour(0))])
        .when((rotate("b", hour(0)), hour(1)))
        .then_expect_events(vec![added("b", hour(1)), revoked("a", hour(1))]);
}

#[test]
fn given_a_secret_when_revoked_then_it_is_void_whatever_the_time_and_it_is_revoked_only_once() {
    let revoke = |id: &str| ApiClientCommand::RevokeSecret { secret_id: id.to_owned() };
    for at in [hour(2), hour(25)] {
        Client::with(()).given(rotated()).when((revoke("a"), at)).then_expect_events(vec![revoked("a", at)]);
    }
    let events = [rotated(), vec![revoked("a", hour(2))]].concat();
    // By a clock that is behind the one that revoked.
    assert!(state(events.clone()).active_secret("a", hour(0)).is_none());
    for id in ["a", "never"] {
        Client::with(())
            .given(events.clone())
            .when((revoke(id), hour(3)))
            .then_expect_error(ApiClientError::UnknownSecret);
    }
}

#[test]
fn the_id_of_a_secret_is_not_given_twice_not_even_after_it_was_revoked() {
    for events in [rotated(), [rotated(), vec![revoked("a", hour(2))]].concat()] {
        Client::with(())
            .given(events)
            .when((rotate("a", None), hour(3)))
            .then_expect_error(ApiClientError::SecretIdTaken);
    }
}

#[test]
fn given_a_client_when_its_scopes_are_set_then_those_count_and_its_secrets_go_on() {
    let set = |scopes: &str| ApiClientCommand::SetScopes { scopes: scopes.parse().unwrap() };
    let scopes = "crm organize".parse::<Scopes>().unwrap();
    let event = ApiClientEvent::ScopesSet { scopes, at: hour(2) };
    Client::with(())
        .given(rotated())
        .when((set("organize crm"), hour(2)))
        .then_expect_events(vec![event.clone()]);
    Client::with(())
        .given(rotated())
        .when((set("crm"), hour(2)))
        .then_expect_error(ApiClientError::SameScopes);
    let client = state([rotated(), vec![event]].concat());
    assert_eq!((client.scopes(), client.active_secrets(hour(2)).count()), (Some(scopes), 2));
}

#[test]
fn given_a_revoked_client_then_nothing_can_be_done_with_it_and_no_secret_is_active() {
    let events = [rotated(), vec![ApiClientEvent::Revoked { at: hour(2) }]].concat();
    Client::with(())
        .given(rotated())
        .when((ApiClientCommand::Revoke, hour(2)))
        .then_expect_events(vec![ApiClientEvent::Revoked { at: hour(2) }]);
    for command in [ApiClientCommand::Revoke, rotate("c", hour(3))] {
        Client::with(())
            .given(events.clone())
            .when((command, hour(3)))
            .then_expect_error(ApiClientError::Revoked { at: hour(2) });
    }
    assert_eq!(state(events).active_secrets(hour(0)).count(), 0);
}

#[test]
fn given_nothing_then_only_registering_is_possible() {
    for command in [ApiClientCommand::Revoke, rotate("b", hour(3))] {
        Client::with(())
            .given_no_previous_events()
            .when((command, hour(0)))
            .then_expect_error(ApiClientError::Unknown);
    }
}

#[test]
fn the_events_are_flat_json_and_the_hash_is_not_printed() {
    let json = serde_json::to_value(added("a", hour(0))).unwrap();
    assert_eq!((&json["kind"], &json["secretId"]), (&"secret_added".into(), &"a".into()));
    assert_eq!(serde_json::from_value::<ApiClientEvent>(json).unwrap(), added("a", hour(0)));
    assert!(!format!("{:?}", added("a", hour(0))).contains("argon2id"));
}

#[test]
fn names_need_no_quoting() {
    assert!("crm-import-2".parse::<ApiClientId>().is_ok());
    for bad in ["", "CRM", "2crm", "-crm", "crm import", "crm_import", "crm:import", "ł", &"x".repeat(41)] {
        assert_eq!(bad.parse::<ApiClientId>(), Err(ApiClientIdError::Form), "{bad:?}");
    }
    assert_eq!(CLI_CLIENT_ID.parse::<ApiClientId>(), Err(ApiClientIdError::Reserved));
}

fn offer(digit: &str, expires_at: Timestamp) -> ApiClientOffer {
    ApiClientOffer { code_digest: digit.repeat(64).parse().unwrap(), expires_at }
}

fn offer_to(scopes: &str, offer: ApiClientOffer) -> ApiClientCommand {
    let (name, scopes) = ("crm-import".parse().unwrap(), scopes.parse().unwrap());
    ApiClientCommand::Offer { name, scopes, offer }
}

fn bring(id: &str) -> ApiClientCommand {
    ApiClientCommand::Bring { secret: secret(id) }
}

fn brought(id: &str, at: Timestamp) -> ApiClientEvent {
    ApiClientEvent::SecretAdded { secret: secret(id), by_code: true, at }
}

/// A code is good for one secret, which may come again: the answer may have been lost.
#[test]
fn a_client_brings_its_own_secret_with_a_code_once_and_in_its_time() {
    let offered =
        |digit, until| ApiClientEvent::CodeOffered { offer: offer(digit, hour(until)), at: hour(0) };
    Client::with(())
        .given_no_previous_events()
        .when((offer_to("crm", offer("1", hour(1))), hour(0)))
        .then_expect_events(vec![registered(), offered("1", 1)]);
    let invited = vec![registered(), offered("1", 1)];
    Client::with(())
        .given(invited.clone())
        .when((bring("a"), hour(0)))
        .then_expect_events(vec![brought("a", hour(0))]);
    let expired = ApiClientError::CodeExpired { at: hour(1) };
    Client::with(()).given(invited.clone()).when((bring("a"), hour(1))).then_expect_error(expired);
    Client::with(()).given(rotated()).when((bring("c"), hour(2))).then_expect_error(ApiClientError::Unknown);

    let used = [invited, vec![brought("a", hour(0))]].concat();
    Client::with(()).given(used.clone()).when((bring("a"), hour(9))).then_expect_events(vec![]);
    Client::with(())
        .given(used.clone())
        .when((bring("b"), hour(0)))
        .then_expect_error(ApiClientError::CodeUsed);
    // Another laptop in its place: the older one is out.
    let again = [used, vec![offered("2", 1)]].concat();
    Client::with(())
        .given(again.clone())
        .when((bring("b"), hour(0)))
        .then_expect_events(vec![brought("b", hour(0)), revoked("a", hour(0))]);
    let other = ApiClientError::OtherScopes { scopes: "crm".parse().unwrap() };
    Client::with(())
        .given(again)
        .when((offer_to("relay", offer("3", hour(1))), hour(0)))
        .then_expect_error(other);
}
