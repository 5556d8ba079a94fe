//! The exports, to the byte (CRM-2).

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod captures;

use captures::{at, capture, captures, erases, follow_up, lead_id, next, record, record_events, withdraws};
use domain::EmbeddedCampaigns;
use event_store::testing::fresh_store;
use futures_util::TryStreamExt;
use projections::catch_up;
use projections::export::{Export, ExportKind, csv};
use serde_json::json;
use sqlx::PgPool;

async fn exported(pool: &PgPool, kind: ExportKind, campaign: Option<&str>) -> String {
    let campaign = campaign.map(|id| id.parse().unwrap());
    let chunks = csv(pool.clone(), Export { kind, campaign }, &EmbeddedCampaigns).await.unwrap();
    let bytes: Vec<u8> = chunks
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend(chunk);
            Ok(all)
        })
        .await
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Two leads of one person, one of another person under the same e-mail, and one that tries everything.
async fn some_leads() -> PgPool {
    let (pool, _) = fresh_store().await;
    let mut first = capture(1);
    first["contact"] =
        json!({ "firstName": "Zażółć", "lastName": "Gęślą; \"Jaźń\"", "email": "Anna@Example.com" });
    first["consents"] = json!([
        { "id": "marketing-email", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:03:10.5+02:00" },
        { "id": "terms", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T12:03:09Z" }
    ]);
    first["operator"] = "Ola".into();
    let mut second = capture(2);
    second["capturedAt"] = "2026-12-06T09:30:00Z".into();
    second["contact"] = json!({ "firstName": "Jan", "lastName": "Nowak", "email": "anna@example.com", "phone": "501 502 503" });
    let mut third = capture(3);
    third["campaignId"] = "unknown-2031".into();
    third["deviceId"] = "-1".into();
    third["contact"] = json!({ "firstName": "=1+1", "lastName": "@SUM(A1)", "phone": "+48501502504" });
    third["operator"] = "-2+3\n\"x\"".into();
    third["consents"] = json!([]);
    third["testFlags"] = "unknown-campaign,clock-ahead".into();
    // One by one: inside one append the order is that of the ids.
    for lead in [second, third, first] {
        record(&pool, &[lead]).await;
    }
    catch_up(&pool).await.unwrap();
    let moment = "'2026-12-06 10:00:00Z'";
    sqlx::query(&format!("UPDATE leads SET recorded_at = {moment}, version_recorded_at = {moment}"))
        .execute(&pool)
        .await
        .unwrap();
    pool
}

const TERMS: &str = r#""[{""id"":""terms"",""textVersion"":1,""language"":""pl"",""grantedAt"":""2026-05-23T14:03:10+02:00""}]""#;

#[tokio::test]
async fn leads_as_csv_to_the_byte() {
    let pool = some_leads().await;
    let (one, two, three) = (lead_id(1), lead_id(2), lead_id(3));
    let grants = r#""[{""id"":""marketing-email"",""textVersion"":1,""language"":""pl"",""grantedAt"":""2026-05-23T14:03:10.5+02:00""},{""id"":""terms"",""textVersion"":1,""language"":""pl"",""grantedAt"":""2026-05-23T12:03:09Z""}]""#;
    let expected = format!(
        "\u{feff}campaign;captured_at;first_name;last_name;email;phone;consent_terms;consent_marketing_email;consent_marketing_phone;\
         operator;flags;device_id;device_seq;recorded_at;position;client_id;version;version_recorded_at;campaign_version;\
         consents;withdrawn\r\n\
         shootout-2026;2026-12-06T10:30:00+01:00;Jan;Nowak;anna@example.com;+48501502503;2026-05-23T14:03:10+02:00;;;\
         ;;ipad-7;2;2026-12-06T11:00:00+01:00;1;{two};1;2026-12-06T11:00:00+01:00;1;{TERMS};[]\r\n\
         shootout-2026;2026-05-23T14:03:11+02:00;Zażółć;\"Gęślą; \"\"Jaźń\"\"\";Anna@Example.com;;\
         2026-05-23T14:03:09+02:00;2026-05-23T14:03:10+02:00;;\
         Ola;;ipad-7;1;2026-12-06T11:00:00+01:00;3;{one};1;2026-12-06T11:00:00+01:00;1;{grants};[]\r\n\
         unknown-2031;2026-05-23T12:03:11Z;'=1+1;'@SUM(A1);;+48501502504;;;;\
         \"'-2+3\n\"\"x\"\"\";unknown-campaign,clock-ahead;'-1;3;2026-12-06T10:00:00Z;2;{three};1;2026-12-06T10:00:00Z;1;[];[]\r\n"
    );
    similar(&exported(&pool, ExportKind::Leads, None).await, &expected);
}

#[tokio::test]
async fn contacts_as_csv_to_the_byte() {
    let pool = some_leads().await;
    let (one, three) = (lead_id(1), lead_id(3));
    let grants = format!(
        r#""[{{""id"":""marketing-email"",""textVersion"":1,""language"":""pl"",""grantedAt"":""2026-05-23T14:03:10.5+02:00"",""clientId"":""{one}""}},{{""id"":""terms"",""textVersion"":1,""language"":""pl"",""grantedAt"":""2026-05-23T12:03:09Z"",""clientId"":""{one}""}}]""#
    );
    let expected = format!(
        "\u{feff}campaign;email;first_name;last_name;phone;consent_terms;consent_marketing_email;consent_marketing_phone;\
         other_names;lead_count;first_captured_at;last_captured_at;first_client_id;consents;withdrawn\r\n\
         shootout-2026;Anna@Example.com;Zażółć;\"Gęślą; \"\"Jaźń\"\"\";+48501502503;2026-05-23T14:03:09+02:00;2026-05-23T14:03:10+02:00;;\
         Jan Nowak;2;2026-05-23T14:03:11+02:00;2026-12-06T10:30:00+01:00;{one};{grants};[]\r\n\
         unknown-2031;;'=1+1;'@SUM(A1);+48501502504;;;;;1;2026-05-23T12:03:11Z;2026-05-23T12:03:11Z;{three};[];[]\r\n"
    );
    similar(&exported(&pool, ExportKind::Contacts, None).await, &expected);
}

fn similar(actual: &str, expected: &str) {
    for (number, (actual, expected)) in actual.split("\r\n").zip(expected.split("\r\n")).enumerate() {
        assert_eq!(actual, expected, "line {}", number + 1);
    }
    assert_eq!(actual, expected);
}

/// One column of all rows.
fn cells(csv: &str, column: &str) -> Vec<String> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(b';')
        .from_reader(csv.trim_start_matches('\u{feff}').as_bytes());
    let place = reader.headers().unwrap().iter().position(|name| name == column).unwrap();
    reader.records().map(|row| row.unwrap()[place].to_owned()).collect()
}

#[tokio::test]
async fn what_came_after_the_capture_shows_in_both_files() {
    let (pool, _) = fresh_store().await;
    let (one, two, three) = (capture(1), capture(2), capture(3));
    record(&pool, &[one.clone(), two.clone(), three, capture(4)]).await;
    catch_up(&pool).await.unwrap();
    let corrected = next(&one, "corrected", |lead| lead["contact"]["lastName"] = "Kowalska".into());
    record(&pool, &[corrected, next(&two, "voided", |_| {})]).await;
    let withdrawal = withdraws("terms", "15:00:00");
    record_events(&pool, &[follow_up(3, 1, &withdrawal), follow_up(4, 1, &erases())]).await;
    catch_up(&pool).await.unwrap();

    let leads = exported(&pool, ExportKind::Leads, None).await;
    assert_eq!(cells(&leads, "client_id"), [lead_id(1), lead_id(3)]);
    assert_eq!(cells(&leads, "last_name"), ["Kowalska", "Nowak"]);
    assert_eq!(cells(&leads, "version"), ["2", "1"]);
    let contacts = exported(&pool, ExportKind::Contacts, None).await;
    assert_eq!(cells(&contacts, "email"), ["anna1@example.com", "anna3@example.com"]);
    let proof = json!([{ "id": "terms", "withdrawnAt": at("15:00:00") }]).to_string();
    for file in [leads, contacts] {
        assert_eq!(cells(&file, "withdrawn"), ["[]", &proof]);
        assert_eq!(cells(&file, "consent_terms"), ["2026-05-23T14:03:10+02:00", ""]);
    }
}

#[tokio::test]
async fn one_campaign_can_be_exported_and_none_has_only_a_header() {
    let pool = some_leads().await;
    let campaigns = |csv: String| -> Vec<String> {
        let body = csv.split("\r\n").skip(1).filter(|line| !line.is_empty());
        body.map(|line| line.split(';').next().unwrap().to_owned()).collect()
    };
    for kind in [ExportKind::Leads, ExportKind::Contacts] {
        assert_eq!(campaigns(exported(&pool, kind, Some("unknown-2031")).await), ["unknown-2031"]);
        assert_eq!(campaigns(exported(&pool, kind, Some("never-seen")).await), [""; 0]);
        let (empty, _) = fresh_store().await;
        let header = exported(&empty, kind, None).await;
        assert!(
            header.starts_with("\u{feff}campaign;") && header.ends_with(";consents;withdrawn\r\n"),
            "{header}"
        );
        assert_eq!(header.matches("\r\n").count(), 1);
    }
}

#[tokio::test]
async fn every_row_is_there_once_over_many_pages_and_campaigns() {
    let (pool, _) = fresh_store().await;
    let mut leads = captures(0..2_500);
    for lead in &mut leads[1_000..2_010] {
        lead["campaignId"] = "autumn-2026".into();
    }
    for chunk in leads.chunks(1_000) {
        record(&pool, chunk).await;
    }
    catch_up(&pool).await.unwrap();
    for (kind, column) in [(ExportKind::Leads, "client_id"), (ExportKind::Contacts, "first_client_id")] {
        let csv = exported(&pool, kind, None).await;
        let mut ids = cells(&csv, column);
        ids.sort_unstable();
        assert_eq!(ids, (0..2_500).map(lead_id).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_error_in_the_middle_ends_the_stream_with_that_error() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(0..1_000)).await;
    record(&pool, &captures(1_000..1_500)).await;
    catch_up(&pool).await.unwrap();
    let leads = Export { kind: ExportKind::Leads, campaign: None };
    let mut chunks = csv(pool.clone(), leads, &EmbeddedCampaigns).await.unwrap();
    chunks.try_next().await.unwrap().expect("the header");
    chunks.try_next().await.unwrap().expect("the first page");
    pool.close().await;
    assert!(chunks.try_next().await.is_err());
    assert!(chunks.try_next().await.unwrap().is_none(), "nothing comes after an error");
    let contacts = Export { kind: ExportKind::Contacts, campaign: None };
    assert!(csv(pool, contacts, &EmbeddedCampaigns).await.is_err());
}
