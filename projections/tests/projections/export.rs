//! The exports, to the byte (CRM-2).

use std::io::Cursor;

use crate::captures::{
    at, capture, captures, erases, follow_up, lead_id, next, record, record_events, reported, withdraws,
};
use calamine::{Data, Reader, Xlsx};
use domain::{PublishedCampaigns, SHOOTOUT_2026};
use event_store::testing::fresh_store;
use futures_util::TryStreamExt;
use projections::catch_up;
use projections::export::{
    CsvStyle, Delimiter, Export, ExportError, ExportKind, Exported, Filter, FilterError, Format, count, start,
};
use serde_json::{Value, json};
use sqlx::PgPool;

const CSV: Format = Format::Csv(CsvStyle { delimiter: Delimiter::Semicolon, has_byte_order_mark: true });
const KINDS: [ExportKind; 2] = [ExportKind::Leads, ExportKind::Contacts];
const FORMATS: [Format; 3] = [CSV, Format::Xlsx, Format::Ndjson];

async fn begin(
    pool: &PgPool,
    kind: ExportKind,
    filter: Filter,
    format: Format,
) -> Result<Exported, ExportError> {
    begin_with(pool, kind, filter, format, &PublishedCampaigns::shipped()).await
}

async fn begin_with(
    pool: &PgPool,
    kind: ExportKind,
    filter: Filter,
    format: Format,
    campaigns: &PublishedCampaigns,
) -> Result<Exported, ExportError> {
    let through = event_store::head(pool).await?.position;
    start(pool.clone(), Export::new(kind, filter).unwrap(), format, through, campaigns).await
}

/// A whole file; checks what is said about it beforehand.
async fn file(pool: &PgPool, kind: ExportKind, filter: Filter, format: Format) -> Vec<u8> {
    let exported = begin(pool, kind, filter, format).await.unwrap();
    let file: Vec<u8> = exported
        .chunks
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend(chunk);
            Ok(all)
        })
        .await
        .unwrap();
    let (rows, length) = match format {
        Format::Csv(_) => (records(&file).len() - 1, None),
        Format::Ndjson => (objects(&file).len(), None),
        Format::Xlsx => (sheet(&file).len() - 1, Some(file.len() as u64)),
    };
    assert_eq!((exported.rows, exported.bytes), (rows as u64, length), "{format:?}");
    file
}

async fn exported(pool: &PgPool, kind: ExportKind, campaign: Option<&str>) -> String {
    let filter = Filter { campaign: campaign.map(|id| id.parse().unwrap()), ..Filter::default() };
    String::from_utf8(file(pool, kind, filter, CSV).await).unwrap()
}

/// All rows of a CSV file, the header too.
fn records(csv: &[u8]) -> Vec<Vec<String>> {
    let csv = csv.strip_prefix("\u{feff}".as_bytes()).unwrap_or(csv);
    let mut reader = ::csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_reader(csv);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn objects(ndjson: &[u8]) -> Vec<Value> {
    ndjson.split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// All rows of the one sheet of a workbook, the header too; no cell is a formula.
fn sheet(xlsx: &[u8]) -> Vec<Vec<Data>> {
    let mut book = Xlsx::new(Cursor::new(xlsx)).unwrap();
    let [name] = &book.sheet_names()[..] else { panic!("one sheet") };
    let name = name.clone();
    assert!(book.worksheet_formula(&name).unwrap().is_empty());
    book.worksheet_range(&name).unwrap().rows().map(<[Data]>::to_vec).collect()
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
    let mut rows = records(csv.as_bytes()).into_iter();
    let place = rows.next().unwrap().iter().position(|name| name == column).unwrap();
    rows.map(|mut row| row.swap_remove(place)).collect()
}

#[tokio::test]
async fn leads_as_ndjson_to_the_byte() {
    let pool = some_leads().await;
    let (one, two, three) = (lead_id(1), lead_id(2), lead_id(3));
    let terms = r#"[{"id":"terms","textVersion":1,"language":"pl","grantedAt":"2026-05-23T14:03:10+02:00"}]"#;
    let grants = r#"[{"id":"marketing-email","textVersion":1,"language":"pl","grantedAt":"2026-05-23T14:03:10.5+02:00"},{"id":"terms","textVersion":1,"language":"pl","grantedAt":"2026-05-23T12:03:09Z"}]"#;
    let expected = [
        format!(
            r#"{{"campaign":"shootout-2026","capturedAt":"2026-12-06T10:30:00+01:00","firstName":"Jan","lastName":"Nowak","email":"anna@example.com","phone":"+48501502503","consentTerms":"2026-05-23T14:03:10+02:00","consentMarketingEmail":null,"consentMarketingPhone":null,"operator":null,"flags":[],"deviceId":"ipad-7","deviceSeq":2,"recordedAt":"2026-12-06T11:00:00+01:00","position":1,"clientId":"{two}","version":1,"versionRecordedAt":"2026-12-06T11:00:00+01:00","campaignVersion":1,"consents":{terms},"withdrawn":[]}}"#
        ),
        format!(
            r#"{{"campaign":"shootout-2026","capturedAt":"2026-05-23T14:03:11.12+02:00","firstName":"Zażółć","lastName":"Gęślą; \"Jaźń\"","email":"Anna@Example.com","phone":null,"consentTerms":"2026-05-23T14:03:09+02:00","consentMarketingEmail":"2026-05-23T14:03:10.5+02:00","consentMarketingPhone":null,"operator":"Ola","flags":[],"deviceId":"ipad-7","deviceSeq":1,"recordedAt":"2026-12-06T11:00:00+01:00","position":3,"clientId":"{one}","version":1,"versionRecordedAt":"2026-12-06T11:00:00+01:00","campaignVersion":1,"consents":{grants},"withdrawn":[]}}"#
        ),
        format!(
            r#"{{"campaign":"unknown-2031","capturedAt":"2026-05-23T12:03:11.12Z","firstName":"=1+1","lastName":"@SUM(A1)","email":null,"phone":"+48501502504","consentTerms":null,"consentMarketingEmail":null,"consentMarketingPhone":null,"operator":"-2+3\n\"x\"","flags":["unknown-campaign","clock-ahead"],"deviceId":"-1","deviceSeq":3,"recordedAt":"2026-12-06T10:00:00Z","position":2,"clientId":"{three}","version":1,"versionRecordedAt":"2026-12-06T10:00:00Z","campaignVersion":1,"consents":[],"withdrawn":[]}}"#
        ),
    ];
    let actual = file(&pool, ExportKind::Leads, Filter::default(), Format::Ndjson).await;
    let actual = String::from_utf8(actual).unwrap();
    for (actual, expected) in actual.lines().zip(&expected) {
        assert_eq!(actual, expected);
    }
    assert_eq!(actual, expected.map(|line| line + "\n").concat());
}

/// A CSV cell that belongs to a value of an object: its text, without what only a spreadsheet needs.
fn as_cell(value: &Value, key: &str) -> String {
    let to_the_second = |time: &str| match time.split_once('.') {
        Some((second, rest)) => {
            second.to_owned() + rest.trim_start_matches(|digit: char| digit.is_ascii_digit())
        }
        None => time.to_owned(),
    };
    match value {
        Value::Null => String::new(),
        Value::String(time) if key.ends_with("At") || key.starts_with("consent") => to_the_second(time),
        Value::String(text) if text.starts_with(['=', '-', '@']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        Value::Array(texts) if texts.is_empty() && ["flags", "otherNames"].contains(&key) => String::new(),
        Value::Array(texts) if texts.iter().all(Value::is_string) && !texts.is_empty() => {
            let separator = if key == "flags" { "," } else { ", " };
            texts.iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join(separator)
        }
        other => other.to_string(),
    }
}

#[tokio::test]
async fn the_three_formats_say_the_same_and_a_workbook_has_nothing_but_texts_and_numbers() {
    let pool = some_leads().await;
    for kind in KINDS {
        let csv = records(&file(&pool, kind, Filter::default(), CSV).await);
        let ndjson = file(&pool, kind, Filter::default(), Format::Ndjson).await;
        let xlsx = sheet(&file(&pool, kind, Filter::default(), Format::Xlsx).await);
        assert_eq!(xlsx[0], csv[0].iter().cloned().map(Data::String).collect::<Vec<_>>());
        for ((csv, object), cells) in csv[1..].iter().zip(objects(&ndjson)).zip(&xlsx[1..]) {
            // Compared in the order of the columns; an object that was parsed has its own.
            let keys = csv_keys(&xlsx[0]);
            for ((csv, key), cell) in csv.iter().zip(&keys).zip(cells) {
                let value = &object[key];
                if key.as_str() != "consents" {
                    assert_eq!(csv, &as_cell(value, key), "{key}");
                } else {
                    assert_eq!(&serde_json::from_str::<Value>(csv).unwrap(), value);
                }
                let is_right = match (value, cell) {
                    (Value::Number(number), Data::Float(cell)) => number.as_f64() == Some(*cell),
                    (Value::Number(_), _) => false,
                    (Value::String(text), Data::String(cell)) if csv.starts_with('\'') => text == cell,
                    (_, Data::String(cell)) => cell == csv,
                    (_, Data::Empty) => csv.is_empty(),
                    _ => false,
                };
                assert!(is_right, "{key}: {cell:?}, {value}, {csv:?}");
            }
        }
    }
}

/// The keys of an object, from the names of the columns.
fn csv_keys(header: &[Data]) -> Vec<String> {
    let camel_case = |name: String| {
        let mut words = name.split('_').map(str::to_owned).collect::<Vec<_>>();
        for word in words.iter_mut().skip(1) {
            *word = word[..1].to_uppercase() + &word[1..];
        }
        words.concat()
    };
    header.iter().map(|name| camel_case(name.to_string())).collect()
}

#[tokio::test]
async fn programs_get_csv_with_commas_and_without_a_mark() {
    let pool = some_leads().await;
    let style = CsvStyle { delimiter: Delimiter::Comma, has_byte_order_mark: false };
    let exported = begin(&pool, ExportKind::Contacts, Filter::default(), Format::Csv(style)).await.unwrap();
    let bytes: Vec<u8> = exported.chunks.try_collect::<Vec<_>>().await.unwrap().concat();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("campaign,email,"), "{text}");
    assert!(
        text.contains("\r\nshootout-2026,Anna@Example.com,Zażółć,\"Gęślą; \"\"Jaźń\"\"\",+48501502503,"),
        "{text}"
    );
    assert_eq!(text.matches("\r\n").count(), 3);
}

/// Which leads, by their numbers.
async fn found(pool: &PgPool, kind: ExportKind, filter: Filter) -> Vec<String> {
    let id = if kind == ExportKind::Leads { "clientId" } else { "firstClientId" };
    let lines = file(pool, kind, filter, Format::Ndjson).await;
    let mut ids: Vec<String> =
        objects(&lines).iter().map(|object| object[id].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn filters_take_what_they_name_and_only_that() {
    let (pool, _) = fresh_store().await;
    let mut leads = captures(1..=4);
    leads[1]["deviceId"] = "ipad-8".into();
    leads[1]["capturedAt"] = "2026-05-24T00:00:00+02:00".into();
    // A moment earlier, by another clock.
    leads[2]["capturedAt"] = "2026-05-23T21:59:59.999Z".into();
    leads[3]["campaignId"] = "autumn-2026".into();
    for lead in [0, 1, 3] {
        leads[lead]["consents"].as_array_mut().unwrap().push(
            json!({ "id": "marketing-email", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:00:00+02:00" }),
        );
    }
    record(&pool, &leads).await;
    record_events(&pool, &[follow_up(1, 1, &withdraws("marketing-email", "15:00:00"))]).await;
    catch_up(&pool).await.unwrap();

    let ids = |numbers: &[u32]| numbers.iter().copied().map(lead_id).collect::<Vec<_>>();
    let midnight = "2026-05-24T00:00:00+02:00".parse().ok();
    for kind in KINDS {
        let campaign = Filter { campaign: "autumn-2026".parse().ok(), ..Filter::default() };
        assert_eq!(found(&pool, kind, campaign).await, ids(&[4]));
        let from = Filter { from: midnight, ..Filter::default() };
        assert_eq!(found(&pool, kind, from.clone()).await, ids(&[2]), "from itself is in it");
        let to = Filter { to: midnight, ..Filter::default() };
        assert_eq!(found(&pool, kind, to).await, ids(&[1, 3, 4]), "to itself is not");
        // One was withdrawn.
        let consent = Filter { consent: "marketing-email".parse().ok(), ..Filter::default() };
        assert_eq!(found(&pool, kind, consent.clone()).await, ids(&[2, 4]));
        let both = Filter { campaign: "shootout-2026".parse().ok(), ..consent };
        assert_eq!(found(&pool, kind, both).await, ids(&[2]));
    }
    let device = Filter { device: "ipad-8".parse().ok(), ..Filter::default() };
    assert_eq!(found(&pool, ExportKind::Leads, device.clone()).await, ids(&[2]));
    assert_eq!(Export::new(ExportKind::Contacts, device), Err(FilterError::DeviceOfContacts));
}

/// Pages are bounded by what is looked at: whole pages in which nothing matches must not pass for the end.
#[tokio::test]
async fn a_page_without_a_match_does_not_end_an_export() {
    let (pool, _) = fresh_store().await;
    let mut leads = captures(0..3_500);
    for lead in [3, 2_700] {
        leads[lead]["deviceId"] = "ipad-8".into();
        leads[lead]["capturedAt"] = "2026-05-25T00:00:00+02:00".into();
    }
    for chunk in leads.chunks(1_000) {
        record(&pool, chunk).await;
    }
    catch_up(&pool).await.unwrap();
    let from = Filter { from: "2026-05-25T00:00:00+02:00".parse().ok(), ..Filter::default() };
    let device = Filter { device: "ipad-8".parse().ok(), ..Filter::default() };
    for (kind, filter) in
        [(ExportKind::Leads, device), (ExportKind::Leads, from.clone()), (ExportKind::Contacts, from)]
    {
        assert_eq!(found(&pool, kind, filter).await, [lead_id(3), lead_id(2_700)]);
    }
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
async fn one_campaign_can_be_exported_one_that_is_nowhere_is_refused_and_an_empty_store_has_only_a_header() {
    let pool = some_leads().await;
    let campaigns = |csv: String| -> Vec<String> {
        let body = csv.split("\r\n").skip(1).filter(|line| !line.is_empty());
        body.map(|line| line.split(';').next().unwrap().to_owned()).collect()
    };
    for kind in KINDS {
        assert_eq!(campaigns(exported(&pool, kind, Some("unknown-2031")).await), ["unknown-2031"]);
        let never_seen = Filter { campaign: "never-seen".parse().ok(), ..Filter::default() };
        let refused = begin(&pool, kind, never_seen, CSV).await.err().unwrap();
        assert!(matches!(refused, ExportError::Unknown { parameter: "campaign", .. }), "{refused}");
        assert!(refused.to_string().contains("unknown-2031"), "it names those that there are: {refused}");
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
async fn an_error_in_the_middle_ends_the_stream_with_that_error_and_no_workbook_is_begun() {
    for format in FORMATS {
        let (pool, _) = fresh_store().await;
        record(&pool, &captures(0..1_000)).await;
        record(&pool, &captures(1_000..1_500)).await;
        catch_up(&pool).await.unwrap();
        // A row of the second page.
        sqlx::query(r#"UPDATE leads SET consents = '[{"id":7}]' WHERE position = 1200"#)
            .execute(&pool)
            .await
            .unwrap();
        let begun = begin(&pool, ExportKind::Leads, Filter::default(), format).await;
        if format == Format::Xlsx {
            assert!(matches!(begun, Err(ExportError::Damaged { .. })));
            continue;
        }
        let mut chunks = begun.unwrap().chunks;
        if format == CSV {
            chunks.try_next().await.unwrap().expect("the header");
        }
        chunks.try_next().await.unwrap().expect("the first page");
        assert!(matches!(chunks.try_next().await, Err(ExportError::Damaged { .. })));
        assert!(chunks.try_next().await.unwrap().is_none(), "nothing comes after an error");
        drop(pool.close());
        assert!(begin(&pool, ExportKind::Contacts, Filter::default(), format).await.is_err());
    }
}

/// A mistake is told; what is known and has no rows, and what may be known, is an empty file.
#[tokio::test]
async fn a_consent_is_refused_only_when_no_campaign_asks_for_it_and_nobody_gave_it() {
    let (pool, _) = fresh_store().await;
    let mut leads = captures(1..=2);
    leads[0]["consents"].as_array_mut().unwrap().push(
        json!({ "id": "of-old", "textVersion": 1, "language": "pl", "grantedAt": "2026-05-23T14:00:00+02:00" }),
    );
    leads[1]["campaignId"] = "unknown-2031".into();
    record(&pool, &leads).await;
    record_events(&pool, &[follow_up(1, 1, &withdraws("of-old", "15:00:00"))]).await;
    catch_up(&pool).await.unwrap();
    let mut campaigns = PublishedCampaigns::shipped();
    let mut autumn: Value = serde_json::from_str(SHOOTOUT_2026).unwrap();
    autumn["id"] = "autumn-2026".into();
    autumn["consents"][1]["id"] = "newsletter".into();
    campaigns
        .add(
            &json!({ "kind": "published", "document": autumn, "at": "2026-05-20T09:00:00+02:00" })
                .to_string(),
        )
        .unwrap();
    for kind in KINDS {
        for (campaign, consent, refused) in [
            (None, "newsletter", None),
            (None, "of-old", None),
            (
                None,
                "newsleter",
                Some("the campaigns ask for: terms, newsletter, marketing-phone, marketing-email"),
            ),
            (Some("autumn-2026"), "newsletter", None),
            (
                Some("autumn-2026"),
                "of-old",
                Some("the campaign asks for: terms, newsletter, marketing-phone"),
            ),
            (Some("shootout-2026"), "of-old", None),
            (Some("shootout-2026"), "newsletter", Some("the campaign asks for: terms, marketing-email")),
            (Some("unknown-2031"), "newsletter", None),
        ] {
            let filter = Filter {
                campaign: campaign.map(|id| id.parse().unwrap()),
                consent: consent.parse().ok(),
                ..Filter::default()
            };
            let begun = begin_with(&pool, kind, filter, CSV, &campaigns).await;
            let told = begun.map(|exported| exported.rows).map_err(|error| error.to_string());
            match refused {
                None => assert_eq!(told, Ok(0), "{campaign:?} {consent}"),
                Some(words) => assert!(told.as_ref().is_err_and(|it| it.contains(words)), "{told:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_device_is_refused_only_when_it_is_certain_that_nobody_has_heard_it() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=2)).await;
    record_events(&pool, &[reported("ipad-8", 5)]).await;
    catch_up(&pool).await.unwrap();
    let device = |id: &str| Filter { device: id.parse().ok(), ..Filter::default() };
    assert_eq!(begin(&pool, ExportKind::Leads, device("ipad-8"), CSV).await.unwrap().rows, 0);
    let refused = begin(&pool, ExportKind::Leads, device("ipad-80"), CSV).await.err().unwrap();
    assert!(matches!(refused, ExportError::Unknown { parameter: "device", .. }), "{refused}");
    // The projection of devices is behind the leads, and has not heard of it yet.
    for statement in [
        "DELETE FROM device_sequences WHERE device_id = 'ipad-8'",
        "UPDATE projection_cursors SET position = 2 WHERE name = 'devices'",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    assert_eq!(begin(&pool, ExportKind::Leads, device("ipad-8"), CSV).await.unwrap().rows, 0);
}

/// Nobody knows then what the filter would find, nor how many rows there are.
#[tokio::test]
async fn an_export_does_not_begin_while_its_rows_are_made_anew() {
    let (pool, _) = fresh_store().await;
    record(&pool, &captures(1..=3)).await;
    catch_up(&pool).await.unwrap();
    for statement in
        ["TRUNCATE leads, contacts", "UPDATE projection_cursors SET position = 0 WHERE name = 'leads'"]
    {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let campaigns = PublishedCampaigns::shipped();
    for filter in [
        Filter::default(),
        Filter { campaign: "autumn-2026".parse().ok(), ..Filter::default() },
        Filter { consent: "newsletter".parse().ok(), ..Filter::default() },
    ] {
        for format in FORMATS {
            let begun = begin(&pool, ExportKind::Leads, filter.clone(), format).await;
            assert!(matches!(begun, Err(ExportError::MadeAnew)));
            let export = Export::new(ExportKind::Leads, filter.clone()).unwrap();
            let counted = count(pool.clone(), export, format, 3, &campaigns).await;
            assert!(matches!(counted, Err(ExportError::MadeAnew)), "{counted:?}");
        }
    }
}

/// A new version of a projection empties its tables and fills them again; what was read meanwhile is no export.
#[tokio::test]
async fn rows_that_are_made_anew_in_the_middle_cut_an_export() {
    for format in [CSV, Format::Ndjson] {
        let (pool, _) = fresh_store().await;
        record(&pool, &captures(0..1_000)).await;
        record(&pool, &captures(1_000..1_500)).await;
        catch_up(&pool).await.unwrap();
        let mut chunks = begin(&pool, ExportKind::Leads, Filter::default(), format).await.unwrap().chunks;
        if format == CSV {
            chunks.try_next().await.unwrap().expect("the header");
        }
        chunks.try_next().await.unwrap().expect("the first page");
        sqlx::query("TRUNCATE leads").execute(&pool).await.unwrap();
        sqlx::query("UPDATE projection_cursors SET position = 0 WHERE name = 'leads'")
            .execute(&pool)
            .await
            .unwrap();
        assert!(matches!(chunks.try_next().await, Err(ExportError::MadeAnew)));
    }
}
