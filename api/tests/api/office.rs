//! What the office does with a lead, against the log that intake writes.

use domain::{ClientId, ContactFields, FOLLOW_UP_STREAM, FollowUp, FollowUpError, FollowUpEvent, Timestamp};
use event_store::EventLog;
use leadlog::office::{self, OfficeError};

use crate::server::{Server, lead};

fn client_id(number: u64) -> ClientId {
    lead(number)["clientId"].as_str().unwrap().parse().unwrap()
}

fn at() -> Timestamp {
    "2026-05-24T09:00:00Z".parse().unwrap()
}

async fn follow_up(server: &Server, number: u64) -> FollowUp {
    let mut state = FollowUp::default();
    let id = client_id(number).to_string();
    for event in server.store.log().read_stream(FOLLOW_UP_STREAM, &id).await.unwrap() {
        state.evolve(serde_json::from_str::<FollowUpEvent>(&event.payload).unwrap());
    }
    state
}

#[actix_web::test]
async fn a_correction_is_recorded_in_its_normal_form() {
    let server = Server::start().await;
    server.sync(&[lead(1)]).await;
    let correct = async |phone: &str, email: &str| {
        let typed = ContactFields {
            phone: Some(phone.to_owned()),
            email: Some(email.to_owned()),
            ..ContactFields::default()
        };
        office::correct(&server.store, client_id(1), &typed, Some("Ewa".to_owned()), at()).await
    };
    correct(" 501 502 504 ", "").await.unwrap();
    let state = follow_up(&server, 1).await;
    assert_eq!((state.corrected().phone.as_deref(), &state.corrected().email), (Some("+48501502504"), &None));
    let invalid = correct("501502504", "anna@").await.unwrap_err();
    assert!(matches!(&invalid, OfficeError::Invalid(errors) if errors[0].field == "email"), "{invalid}");
    let nothing = correct("501502504", "").await.unwrap_err();
    assert!(matches!(nothing, OfficeError::Refused(FollowUpError::NoChange)), "{nothing}");
    assert_eq!(server.count("ContactCorrected").await, 1);
}

#[actix_web::test]
async fn a_withdrawal_is_recorded_once() {
    let server = Server::start().await;
    server.sync(&[lead(1)]).await;
    let withdraw =
        async |number| office::withdraw(&server.store, client_id(number), "terms".into(), None, at()).await;
    withdraw(1).await.unwrap();
    let again = withdraw(1).await.unwrap_err();
    assert!(matches!(again, OfficeError::Refused(FollowUpError::NoChange)), "{again}");
    let unknown = withdraw(2).await.unwrap_err();
    assert!(matches!(unknown, OfficeError::UnknownLead { .. }), "{unknown}");
    assert_eq!(follow_up(&server, 1).await.withdrawn().get("terms"), Some(&at()));
    assert_eq!(server.count("ConsentWithdrawn").await, 1);
}

#[actix_web::test]
async fn an_erasure_ends_everything_and_takes_corrections_along() {
    let server = Server::start().await;
    server.sync(&[lead(1)]).await;
    let typed = ContactFields { first_name: Some("Secretina".to_owned()), ..ContactFields::default() };
    office::correct(&server.store, client_id(1), &typed, None, at()).await.unwrap();
    let first = office::erase(&server.store, client_id(1), None, at()).await.unwrap();
    let again = office::erase(&server.store, client_id(1), None, at()).await.unwrap();
    assert_eq!((again.position, again.is_new), (first.position, false));
    let refused = office::correct(&server.store, client_id(1), &typed, None, at()).await.unwrap_err();
    assert!(matches!(refused, OfficeError::Refused(FollowUpError::Erased)), "{refused}");
    assert!(follow_up(&server, 1).await.is_erased());
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE payload::text ~ 'Secretina|anna1@' OR metadata ->> 'digest' IS NOT NULL",
    )
    .fetch_one(&server.pool)
    .await
    .unwrap();
    assert_eq!(left, 1, "of digests, only that of the erasure itself");
    assert_eq!(server.count("LeadErased").await, 1);
}
