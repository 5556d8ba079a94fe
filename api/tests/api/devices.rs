//! `leadlog devices`, without a server.

use domain::Timestamp;
use event_store::testing::fresh_store;
use intake::{Arrival, Direct, RelayProgress};
use leadlog::store::Store;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::program::leadlog;
use crate::server::{Server, lead, lead_with};

/// Invariant 9.
#[actix_web::test]
async fn missing_numbers_are_named_and_silence_is_never_complete() {
    let (pool, url) = fresh_store().await;
    let store = Store::open(&url).await.unwrap();
    let of = |device: &str, number: u64| {
        lead_with(number, |lead| {
            lead["deviceId"] = device.into();
            lead["deviceSeq"] = (number % 10).into();
        })
    };
    let (recorder, relay) = (Direct(store.log().clone()), RelayProgress::default());
    let (campaigns, now) = (store.campaigns(), Arrival::trusted(Timestamp::new(OffsetDateTime::now_utc())));
    for (device, saved_through, entries) in [
        ("ipad-7", 6, vec![of("ipad-7", 1), of("ipad-7", 2), of("ipad-7", 4)]),
        ("ipad-8", 1, vec![of("ipad-8", 11)]),
        ("ipad-9", 1, vec![of("ipad-9", 21)]),
    ] {
        let request =
            json!({ "sender": device, "savedThrough": saved_through, "entries": entries }).to_string();
        let request = serde_json::from_str(&request).unwrap();
        intake::answer(store.log(), &recorder, campaigns.as_ref(), store.identity(), &relay, now, &request)
            .await
            .unwrap();
    }
    // What an hour and a half does.
    sqlx::query("UPDATE events SET recorded_at = recorded_at - interval '90 minutes' WHERE payload ->> 'deviceId' = 'ipad-9'")
        .execute(&pool)
        .await
        .unwrap();

    let said = leadlog(&url, &["devices", "--json"]).await;
    assert!(said.is_success, "{}", said.error);
    let devices: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let fields = |device: &Value| {
        json!([
            device["deviceId"],
            device["here"],
            device["savedThrough"],
            device["missing"],
            device["standing"]
        ])
    };
    let range = |first: u64, last: u64| json!({ "first": first, "last": last });
    assert_eq!(
        devices.iter().map(fields).collect::<Vec<_>>(),
        [
            json!(["ipad-7", [range(1, 2), range(4, 4)], 6, [range(3, 3), range(5, 6)], "missing"]),
            json!(["ipad-8", [range(1, 1)], 1, [], "complete"]),
            json!(["ipad-9", [range(1, 1)], 1, [], "unknown"]),
        ]
    );

    let table = leadlog(&url, &["devices", "--silent-after", "120"]).await.out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[1].contains("1-2, 4") && lines[1].contains("3, 5-6"), "{table}");
    assert!(lines[3].starts_with("ipad-9") && lines[3].ends_with("complete through 1"), "{table}");
}

/// Two iPads under one id: nothing is lost, and "complete" is not all that there is to say.
#[actix_web::test]
async fn a_number_that_two_leads_claim_is_named_with_both() {
    let server = Server::start().await;
    let number_4 = |lead: u64| lead_with(lead, |lead| lead["deviceSeq"] = 4.into());
    server.sync(&[lead(1), lead(2), lead(3), number_4(4)]).await;
    let unshared = leadlog(&server.database_url, &["devices"]).await.out;
    assert!(unshared.lines().count() == 2, "{unshared}");

    // The second is refused: it claims the number all the same. Sending again claims nothing more.
    let refused = lead_with(5, |lead| {
        lead["deviceSeq"] = 4.into();
        lead["consents"] = json!([]);
    });
    server.sync(&[number_4(4), refused, number_4(6)]).await;
    let said = leadlog(&server.database_url, &["devices", "--json"]).await;
    let devices: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let leads = [4, 5, 6].map(|lead| format!("0197f3c2-5c1e-7c3a-9d64-{lead:012}"));
    assert_eq!(devices[0]["sharedNumbers"], json!([{ "number": 4, "leads": leads }]));
    let table = leadlog(&server.database_url, &["devices"]).await.out;
    assert!(
        table.contains("1 of what is here was refused and waits: see `leadlog quarantine list`"),
        "{table}"
    );
    assert!(table.contains(&format!("ipad-7: 3 leads claim number 4: {}", leads.join(", "))), "{table}");
}
