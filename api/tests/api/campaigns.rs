//! Campaigns from a file to the devices and back in the exports (CAP-5): the real program publishes, servers on the
//! same database learn of it.

use std::time::Duration;

use actix_web::http::header::IF_NONE_MATCH;
use domain::Flag;
use domain::Verdict::Created;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::program::{Program, Said, leadlog};
use crate::server::{Server, lead, lead_with};

const SHIPPED: &str = domain::SHOOTOUT_2026;

/// How long a server may take to learn of what another process published.
const LEARNING_TIMEOUT: Duration = Duration::from_secs(20);

fn document(version: u32, change: impl FnOnce(&mut Value)) -> Value {
    let mut document: Value = serde_json::from_str(SHIPPED).unwrap();
    document["version"] = version.into();
    change(&mut document);
    document
}

/// The second version of the shipped campaign, with other words for one consent.
pub(crate) fn second() -> Value {
    document(2, |it| {
        it["consents"][0]["textVersion"] = 2.into();
        it["consents"][0]["text"]["pl"] = "Akceptuję regulamin i politykę prywatności, wersja z maja.".into();
    })
}

async fn publish(server: &Server, document: &Value) -> Said {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_string_pretty(document).unwrap()).unwrap();
    let file = file.path().to_str().unwrap();
    leadlog(&server.database_url, &["campaigns", "publish", file, "--by", "Ewa"]).await
}

/// Status, entity tag and body of a campaign.
async fn campaign(address: &str, path: &str, known: Option<&str>) -> (u16, Option<String>, Vec<u8>) {
    let mut request = awc::Client::default().get(format!("{address}/api/campaigns/{path}"));
    if let Some(known) = known {
        request = request.insert_header((IF_NONE_MATCH, known));
    }
    let mut answer = request.send().await.unwrap();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    (answer.status().as_u16(), tag, answer.body().await.unwrap().to_vec())
}

async fn learns(address: &str, tag: &str) {
    let learning = async {
        while campaign(address, "shootout-2026", None).await.1.as_deref() != Some(tag) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LEARNING_TIMEOUT, learning).await.expect("every process learns of it");
}

/// A capture under a version of the shipped campaign.
fn under(number: u64, campaign_version: u32, text_version: u32) -> Value {
    lead_with(number, |lead| {
        lead["campaignVersion"] = campaign_version.into();
        lead["consents"][0]["textVersion"] = text_version.into();
    })
}

#[actix_web::test]
async fn a_published_version_reaches_every_server_and_leads_of_both_versions_are_taken() {
    let server = Server::start().await;
    let other = Program::serve_on(&server.database_url);
    let (here, there) = (server.address(), other.address.clone());
    assert_eq!(campaign(&there, "shootout-2026", None).await.1.as_deref(), Some("\"1\""));
    let (status, tag, body) = campaign(&here, "shootout-2026", Some("\"1\"")).await;
    assert_eq!((status, tag.as_deref(), body.len()), (304, Some("\"1\""), 0));

    let said = publish(&server, &second()).await;
    assert!(said.is_success && said.out.contains("version 2"), "{} {}", said.out, said.error);
    // The shipped version goes into the log before it, so that the log tells the whole story.
    assert_eq!(server.count("CampaignPublished").await, 2);
    learns(&here, "\"2\"").await;
    learns(&there, "\"2\"").await;
    let (status, tag, body) = campaign(&there, "shootout-2026", Some("\"1\"")).await;
    assert_eq!((status, tag.as_deref()), (200, Some("\"2\"")), "who knows version 1 gets version 2");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["consents"][0]["textVersion"], 2);
    let (status, _, body) = campaign(&here, "shootout-2026?version=1", None).await;
    let first: domain::Campaign = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, first), (200, domain::Campaign::parse(SHIPPED).unwrap()));
    for (path, expected) in
        [("shootout-2026?version=3", 404), ("shootout-2026?version=x", 400), ("other", 404), ("a%20b", 404)]
    {
        assert_eq!(campaign(&here, path, None).await.0, expected, "{path}");
    }

    // What was queued under version 1 stays valid (CAP-5).
    let results = server.sync(&[under(1, 1, 1), under(2, 2, 2), under(3, 2, 1), under(4, 9, 1)]).await;
    let flags: Vec<Vec<Flag>> = results.iter().map(|result| result.flags.clone()).collect();
    assert!(results.iter().all(|result| result.status == Created), "{results:?}");
    assert_eq!(flags, [vec![], vec![], vec![Flag::UnknownConsent], vec![Flag::UnknownCampaignVersion]]);
    let rows = crate::exports::rows(&server.get("/api/exports/leads.csv").await.body);
    let versions: Vec<&str> = rows.iter().map(|row| row["campaign_version"].as_str()).collect();
    assert_eq!(versions, ["1", "2", "2", "9"]);
    other.kill();
}

#[actix_web::test]
async fn publishing_the_same_twice_is_no_new_version() {
    let server = Server::start().await;
    for (document, version) in [(document(1, |_| {}), 1), (second(), 2), (second(), 2)] {
        let said = publish(&server, &document).await;
        assert!(
            said.is_success && said.out.contains(&format!("version {version}")),
            "{}{}",
            said.out,
            said.error
        );
    }
    assert_eq!(server.count("CampaignPublished").await, 2);
    let list = leadlog(&server.database_url, &["campaigns", "list", "--json"]).await;
    let list: Value = serde_json::from_str(&list.out).unwrap();
    let listed: Vec<(&Value, &Value)> =
        list.as_array().unwrap().iter().map(|row| (&row["version"], &row["by"])).collect();
    assert_eq!(listed, [(&json!(1), &Value::Null), (&json!(2), &json!("Ewa"))]);
    // What is shown can be edited and published.
    let shown =
        leadlog(&server.database_url, &["campaigns", "show", "shootout-2026", "--version", "2"]).await;
    assert!(publish(&server, &serde_json::from_str(&shown.out).unwrap()).await.is_success);
    let missing =
        leadlog(&server.database_url, &["campaigns", "show", "shootout-2026", "--version", "3"]).await;
    assert!(!missing.is_success && missing.error.contains("its newest is 2"), "{}", missing.error);
}

#[actix_web::test]
async fn rubbish_publishes_nothing_and_names_every_mistake() {
    let server = Server::start().await;
    let rubbish = document(5, |it| {
        it["timeZone"] = "Mars/Base".into();
        it["consents"][1]["text"].as_object_mut().unwrap().remove("en");
        it["consents"][2]["detail"]["pl"] = 7.into();
        it["fields"][0]["requierd"] = true.into();
    });
    let said = publish(&server, &rubbish).await;
    assert!(!said.is_success);
    for place in ["timeZone", "consents[1].text.en", "consents[2].detail.pl", "fields[0].requierd"] {
        assert!(said.error.contains(place), "{place}: {}", said.error);
    }
    // What only shows beside the versions of before.
    let crossed = document(5, |it| it["consents"][0]["text"]["en"] = "Other words.".into());
    let said = publish(&server, &crossed).await;
    assert!(!said.is_success, "{}", said.out);
    for mistake in ["version is 5; make it 2", "consents[0].textVersion is 1"] {
        assert!(said.error.contains(mistake), "{mistake}: {}", said.error);
    }
    assert_eq!(server.count("CampaignPublished").await, 0);
    // Without a database.
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{ \"id\": \"a\",\n }").unwrap();
    let said = leadlog("", &["campaigns", "check", file.path().to_str().unwrap()]).await;
    assert!(!said.is_success && said.error.contains("line 2"), "{}", said.error);
    std::fs::write(file.path(), SHIPPED).unwrap();
    let said = leadlog("", &["campaigns", "check", file.path().to_str().unwrap()]).await;
    assert!(
        said.is_success && said.out.contains("shootout-2026 version 1 has no mistakes"),
        "{}",
        said.error
    );
}

/// Of a campaign that ships with no program, everything comes from its document: which consents have a column, in
/// which zone times are written, how telephone numbers are read.
#[actix_web::test]
async fn exports_follow_the_published_document() {
    let server = Server::start().await;
    let lisbon = document(1, |it| {
        it["id"] = "lisboa-2027".into();
        it["timeZone"] = "Europe/Lisbon".into();
        it["phonePlan"] = json!({ "callingCode": "351", "nationalDigits": 9 });
        it["consents"][1]["id"] = "newsletter".into();
    });
    let said = publish(&server, &lisbon).await;
    assert!(said.is_success, "{}", said.error);
    // Nobody has asked for it, so this server learns of it by its own look.
    let captured = |number| {
        let mut lead = lead(number);
        lead["campaignId"] = "lisboa-2027".into();
        lead["contact"]["phone"] = "912 345 678".into();
        lead
    };
    let learning = async {
        let mut number = 0;
        loop {
            number += 1;
            if server.sync(&[captured(number)]).await[0].flags.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LEARNING_TIMEOUT, learning).await.expect("a server looks by itself");
    let export = async || {
        crate::exports::rows(&server.get("/api/exports/leads.csv?campaign=lisboa-2027").await.body)
            .pop()
            .unwrap()
    };
    let row = export().await;
    assert_eq!(row["captured_at"], "2026-05-23T13:03:11+01:00");
    assert_eq!(row["phone"], "+351912345678");
    assert!(
        row.contains_key("consent_newsletter") && !row.contains_key("consent_marketing_email"),
        "{row:?}"
    );
    // A column stays when a later version asks no more.
    let without = document(2, |it| {
        *it = lisbon.clone();
        it["version"] = 2.into();
        it["timeZone"] = "Europe/London".into();
        it["phonePlan"] = json!({ "callingCode": "44", "nationalDigits": 10 });
        it["consents"].as_array_mut().unwrap().remove(1);
    });
    let said = publish(&server, &without).await;
    assert!(said.is_success, "{}", said.error);
    let again = export().await;
    assert_eq!((again.get("consent_newsletter"), &again["phone"]), (Some(&String::new()), &row["phone"]));
}

/// CRM-4: what the office asks during the day, counted from what stands.
#[actix_web::test]
async fn statistics_count_leads_by_hour_device_person_and_consent() {
    let server = Server::start().await;
    let consent = |id: &str| json!({ "id": id, "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:59:00+02:00" });
    let other = lead_with(2, |lead| {
        lead["deviceId"] = "ipad-8".into();
        lead["operator"] = "Magda".into();
        lead["capturedAt"] = "2026-05-23T15:00:00+02:00".into();
        lead["consents"] = json!([consent("terms"), consent("marketing-email")]);
    });
    // The same person again, and one that was taken back.
    let again = lead_with(3, |lead| lead["contact"]["email"] = "ANNA1@example.com".into());
    let taken_back = lead_with(4, |lead| {
        lead["kind"] = "voided".into();
        lead["version"] = 2.into();
        lead["deviceSeq"] = 5.into();
    });
    server.sync(&[lead(1), other, again, lead(4), taken_back]).await;
    let ask = ["campaigns", "statistics", "shootout-2026"];
    let said = leadlog(&server.database_url, &[&ask[..], &["--json"]].concat()).await;
    assert!(said.is_success, "{}", said.error);
    assert_eq!(
        serde_json::from_str::<Value>(&said.out).unwrap(),
        json!({
            "campaign": "shootout-2026", "leads": 3, "people": 2, "takenBack": 1,
            "byHour": [
                { "of": "2026-05-23T14:00:00+02:00", "leads": 2 }, { "of": "2026-05-23T15:00:00+02:00", "leads": 1 },
            ],
            "byDevice": [{ "of": "ipad-7", "leads": 2 }, { "of": "ipad-8", "leads": 1 }],
            "byOperator": [{ "of": null, "leads": 2 }, { "of": "Magda", "leads": 1 }],
            "byConsent": [{ "of": "marketing-email", "leads": 1 }, { "of": "terms", "leads": 3 }],
        })
    );
    let table = leadlog(&server.database_url, &ask).await.out;
    assert!(table.contains("shootout-2026: 3 leads of 2 people; 1 more were taken back"), "{table}");
    let unknown = leadlog(&server.database_url, &["campaigns", "statistics", "shootout-2025"]).await;
    assert!(unknown.error.contains("nobody has heard of the campaign shootout-2025"), "{}", unknown.error);
}
