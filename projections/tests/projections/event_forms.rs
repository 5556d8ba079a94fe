//! One stored example of every event in every form that a store ever wrote, kept for ever (`events/TYPE.FORM.json`, as
//! the columns of the log have it): whatever changes, a log that began years ago is read to its end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::captures::rows;
use domain::{
    ApiClientEvent, CloudVerdictEvent, EVENT_FORMS, EnrolmentEvent, PersonEvent, PublishedCampaigns,
    current_form,
};
use event_store::testing::fresh_store;
use projections::{ALL, catch_up, parked_events, verify};
use serde::Deserialize;
use sqlx::PgPool;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    position: i64,
    recorded_at: String,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
    metadata: String,
}

fn examples() -> BTreeMap<String, Stored> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projections/events");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let examples = files.map(|file| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap())
    });
    examples.collect()
}

/// As a store recorded them: the columns, and the head behind them.
async fn record(pool: &PgPool, examples: &BTreeMap<String, Stored>) {
    let mut examples: Vec<_> = examples.values().collect();
    examples.sort_unstable_by_key(|event| event.position);
    for event in examples {
        sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                 recorded_at)
             VALUES ($1, $2, $3, $4, $5, $6::json, $7::json, $8::timestamptz)",
        )
        .bind(&event.aggregate_type)
        .bind(&event.aggregate_id)
        .bind(event.sequence)
        .bind(&event.event_type)
        .bind(&event.event_version)
        .bind(&event.payload)
        .bind(&event.metadata)
        .bind(&event.recorded_at)
        .execute(pool)
        .await
        .unwrap();
    }
}

#[test]
fn there_is_an_example_of_every_event_in_every_form_that_it_had() {
    let expected = EVENT_FORMS.iter().flat_map(|(event_type, current)| {
        (1..=current.parse::<u32>().unwrap()).map(move |form| format!("{event_type}.{form}"))
    });
    let mut expected: Vec<String> = expected.collect();
    expected.sort_unstable();
    let examples = examples();
    assert_eq!(examples.keys().cloned().collect::<Vec<_>>(), expected);
    for (name, event) in examples {
        assert_eq!(name, format!("{}.{}", event.event_type, event.event_version));
        let payload = current_form(&event.event_type, &event.event_version, &event.payload).unwrap();
        match event.event_type.as_str() {
            // These are read by others than the projections.
            "CampaignPublished" => PublishedCampaigns::default().add(&payload).unwrap(),
            name if ApiClientEvent::NAMES.contains(&name) => {
                drop(serde_json::from_str::<ApiClientEvent>(&payload).unwrap());
            }
            name if EnrolmentEvent::NAMES.contains(&name) => {
                drop(serde_json::from_str::<EnrolmentEvent>(&payload).unwrap());
            }
            name if PersonEvent::NAMES.contains(&name) => {
                drop(serde_json::from_str::<PersonEvent>(&payload).unwrap());
            }
            "CloudVerdictGiven" => drop(serde_json::from_str::<CloudVerdictEvent>(&payload).unwrap()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn every_example_gives_the_rows_that_it_always_gave() {
    let (pool, _) = fresh_store().await;
    record(&pool, &examples()).await;
    catch_up(&pool).await.unwrap();
    assert_eq!(parked_events(&pool, None).await.unwrap(), []);
    let tables = ALL.iter().flat_map(|projection| projection.tables);
    let mut found = String::new();
    for table in tables {
        found += &format!("{}\n", table.name);
        for row in rows(&pool, table.name).await {
            found += &format!("  {row}\n");
        }
    }
    assert_eq!(found, include_str!("event_forms.txt"), "found:\n{found}");
    for projection in &ALL {
        assert!(verify(&pool, projection, |_| ()).await.unwrap().is_equal());
    }
}
