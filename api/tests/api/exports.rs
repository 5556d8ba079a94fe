//! What goes in comes out, complete up to the moment of asking.

use std::collections::BTreeMap;

use serde_json::json;

use crate::server::{Server, lead, lead_with};

/// The rows of an export, by column name.
pub(crate) fn rows(csv: &[u8]) -> Vec<BTreeMap<String, String>> {
    let text = csv.strip_prefix("\u{feff}".as_bytes()).expect("a byte order mark, for Excel");
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text);
    reader.deserialize().map(|row| row.unwrap()).collect()
}

async fn export(server: &Server, path: &str) -> Vec<BTreeMap<String, String>> {
    let answer = server.get(path).await;
    assert_eq!((answer.status, answer.content_type.starts_with("text/csv")), (200, true));
    rows(&answer.body)
}

#[actix_web::test]
async fn what_was_confirmed_is_in_the_next_export() {
    let server = Server::start().await;
    for number in 1..=5 {
        server.sync(&[lead(number)]).await;
        let rows = export(&server, "/api/exports/leads.csv").await;
        assert_eq!(rows.len() as u64, number, "complete up to the moment of asking");
        assert!(rows.iter().any(|row| row["email"] == format!("anna{number}@example.com")));
    }
    let row = export(&server, "/api/exports/leads.csv").await.remove(0);
    assert_eq!((row["last_name"].as_str(), row["phone"].as_str()), ("Żółć", "+48501502503"));
    assert_eq!(row["captured_at"], "2026-05-23T14:03:11+02:00", "in the campaign's zone");
}

#[actix_web::test]
async fn contacts_are_deduplicated_and_keep_every_consent() {
    let server = Server::start().await;
    let marketing = json!({ "id": "marketing-email", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T15:00:00+02:00" });
    let again = lead_with(2, |lead| {
        lead["contact"]["email"] = "ANNA1@example.com".into();
        lead["consents"].as_array_mut().unwrap().push(marketing);
    });
    let refused = lead_with(3, |lead| lead["consents"] = json!([]));
    server.sync(&[lead(1), again, refused]).await;
    let contacts = export(&server, "/api/exports/contacts.csv?campaign=shootout-2026").await;
    assert_eq!(contacts.len(), 1);
    assert!(contacts[0]["consents"].contains("marketing-email"), "{:?}", contacts[0]);
    assert_eq!(export(&server, "/api/exports/contacts.csv?campaign=other").await.len(), 0);
}

#[actix_web::test]
async fn a_campaign_that_cannot_be_one_is_named() {
    let server = Server::start().await;
    let answer = server.get("/api/exports/leads.csv?campaign=a%20b").await;
    assert_eq!((answer.status, &answer.json()["type"]), (400, &"urn:leadlog:problem:bad-parameter".into()));
}
