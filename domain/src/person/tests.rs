#![cfg(feature = "aggregates")]

use cqrs_es::test::TestFramework;

use super::*;

type Given = TestFramework<Person>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_ms(seconds * 1000, 0).unwrap()
}

fn invitation() -> Invitation {
    Invitation {
        name: "Ewa Nowak".parse().unwrap(),
        scopes: "organize".parse().unwrap(),
        code_digest: "ab".repeat(32).parse().unwrap(),
        expires_at: at(600),
    }
}

fn invited() -> PersonEvent {
    PersonEvent::Invited { invitation: invitation(), at: at(0) }
}

fn identity(name: &str) -> ProvidedIdentity {
    ProvidedIdentity {
        issuer: "https://login.example.com".to_owned(),
        subject: "24400320".to_owned(),
        name: name.parse().unwrap(),
    }
}

fn identified(name: &str, seconds: i64) -> PersonEvent {
    PersonEvent::Identified { identity: identity(name), at: at(seconds) }
}

#[test]
fn an_invitation_lets_one_in_once_and_in_time() {
    let accept = |seconds| (PersonCommand::Accept { attempt: None }, at(seconds));
    let accepted = PersonEvent::InvitationAccepted { attempt_digest: None, at: at(599) };
    Given::with(())
        .given_no_previous_events()
        .when((PersonCommand::Invite(invitation()), at(0)))
        .then_expect_events(vec![invited()]);
    Given::with(()).given(vec![invited()]).when(accept(599)).then_expect_events(vec![accepted.clone()]);
    Given::with(())
        .given(vec![invited()])
        .when(accept(600))
        .then_expect_error(PersonError::Expired { at: at(600) });
    Given::with(()).given(vec![invited(), accepted]).when(accept(599)).then_expect_error(PersonError::Used);
    Given::with(())
        .given(vec![invited()])
        .when((PersonCommand::Invite(invitation()), at(1)))
        .then_expect_error(PersonError::Exists);
    Given::with(()).given_no_previous_events().when(accept(1)).then_expect_error(PersonError::Unknown);
}

#[test]
fn the_browser_that_used_an_invitation_is_answered_again_for_a_while_and_no_other() {
    let attempt = |digits: &str| Some(digits.repeat(32).parse().unwrap());
    let accepted = PersonEvent::InvitationAccepted { attempt_digest: attempt("cd"), at: at(300) };
    let accept = |digits: &str, seconds| (PersonCommand::Accept { attempt: attempt(digits) }, at(seconds));
    Given::with(()).given(vec![invited()]).when(accept("cd", 300)).then_expect_events(vec![accepted.clone()]);
    let given = || Given::with(()).given(vec![invited(), accepted.clone()]);
    // Also when the time of the invitation itself is over.
    given().when(accept("cd", 899)).then_expect_events(vec![]);
    given().when(accept("cd", 900)).then_expect_error(PersonError::Used);
    given().when(accept("ef", 301)).then_expect_error(PersonError::Used);
    let unnamed = (PersonCommand::Accept { attempt: None }, at(301));
    given().when(unnamed).then_expect_error(PersonError::Used);
    Given::with(())
        .given(vec![invited(), accepted.clone(), PersonEvent::Revoked { at: at(400) }])
        .when(accept("cd", 401))
        .then_expect_error(PersonError::Revoked { at: at(400) });
}

#[test]
fn an_invitation_that_was_taken_back_lets_nobody_in_and_never_again() {
    let given = || Given::with(()).given(vec![invited(), PersonEvent::Revoked { at: at(5) }]);
    for command in [PersonCommand::Accept { attempt: None }, PersonCommand::Revoke] {
        given().when((command, at(6))).then_expect_error(PersonError::Revoked { at: at(5) });
    }
    given().when((PersonCommand::Readmit, at(6))).then_expect_error(PersonError::OnlyInvited);
}

#[test]
fn a_person_whom_a_provider_names_is_noted_once_for_each_name() {
    let identify = |name| (PersonCommand::Identify(identity(name)), at(9));
    Given::with(())
        .given_no_previous_events()
        .when(identify("Ewa"))
        .then_expect_events(vec![identified("Ewa", 9)]);
    Given::with(()).given(vec![identified("Ewa", 1)]).when(identify("Ewa")).then_expect_events(vec![]);
    Given::with(())
        .given(vec![identified("Ewa", 1)])
        .when(identify("Ewa Nowak"))
        .then_expect_events(vec![identified("Ewa Nowak", 9)]);
}

#[test]
fn a_person_who_was_shut_out_stays_out_until_somebody_lets_the_person_in() {
    let shut_out = vec![identified("Ewa", 1), PersonEvent::Revoked { at: at(5) }];
    Given::with(())
        .given(shut_out.clone())
        .when((PersonCommand::Identify(identity("Ewa")), at(9)))
        .then_expect_error(PersonError::Revoked { at: at(5) });
    let readmitted = PersonEvent::Readmitted { at: at(9) };
    Given::with(())
        .given(shut_out.clone())
        .when((PersonCommand::Readmit, at(9)))
        .then_expect_events(vec![readmitted.clone()]);
    let back = [shut_out, vec![readmitted]].concat();
    Given::with(())
        .given(back.clone())
        .when((PersonCommand::Identify(identity("Ewa")), at(10)))
        .then_expect_events(vec![]);
    Given::with(())
        .given(back)
        .when((PersonCommand::Readmit, at(10)))
        .then_expect_error(PersonError::NotRevoked);
}

#[test]
fn a_name_from_elsewhere_is_taken_as_far_as_it_is_one() {
    let lenient = |text: &str| DisplayName::lenient(text).map(|name| name.as_str().to_owned());
    assert_eq!(lenient("  Ewa\u{0}\nNo\u{200b}wak\u{202e} "), Some("EwaNowak".to_owned()));
    for text in ["Ewa\u{2060}", " Ewa", "", &"ż".repeat(DisplayName::MAX_CHARS + 1)] {
        assert!(text.parse::<DisplayName>().is_err(), "{text:?}");
    }
    // A name that a program took before today's rule is read.
    let read: DisplayName = serde_json::from_str("\"Ewa\u{2060} Nowak\"").unwrap();
    assert_eq!(read.as_str(), "Ewa Nowak");
    assert_eq!(lenient(&"ż".repeat(300)), Some("ż".repeat(DisplayName::MAX_CHARS)));
    assert_eq!(lenient(" \n"), None);
}
