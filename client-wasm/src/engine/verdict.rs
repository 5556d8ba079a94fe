//! Reads what came back from a request. Whatever is not plainly a store's typed answer means: try again.
//!
//! The reading is more lenient than `domain::SyncResponse`: a store may be newer than this device, and a
//! word in one result that is not understood must not hide the results beside it.

use domain::{AppendId, ClientId, FieldError, Lineage, StoreId, Tier, Verdict};
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::json::{self, Raw, Unreadable};

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// A store answered about the entries.
    Answered(Box<StoreAnswer>),
    /// Refused as a whole, for its size or for something inside: smaller requests find out.
    TooMuch {
        /// How long the server asked to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// Nothing is known about any entry.
    Nothing {
        /// How long the server asked to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
}

/// A store's answer, as far as the engine uses it.
#[derive(Debug)]
pub struct StoreAnswer {
    /// The store.
    pub store: StoreId,
    /// What it is to this device.
    pub tier: Tier,
    /// Whether it still has what the shown receipt proves.
    pub lineage: Lineage,
    /// The results that could be read.
    pub results: Vec<ResultLine>,
}

/// The result of one entry.
#[derive(Debug)]
pub struct ResultLine {
    /// The lead.
    pub client_id: ClientId,
    /// Version of the lead.
    pub version: u32,
    /// `None` for a word that this program does not know.
    pub verdict: Option<Verdict>,
    /// Position in the store's log.
    pub position: Option<u64>,
    /// The append that recorded it.
    pub append_id: Option<AppendId>,
    /// What is wrong.
    pub errors: Vec<FieldError>,
}

impl ResultLine {
    /// Which entry it is about.
    pub const fn label(&self) -> (ClientId, u32) {
        (self.client_id, self.version)
    }
}

#[derive(Deserialize)]
struct WireAnswer<'a> {
    store: WireStore,
    lineage: Lineage,
    #[serde(borrow)]
    results: Vec<Raw<'a>>,
}

#[derive(Deserialize)]
struct WireStore {
    id: StoreId,
    tier: Tier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireResult<'a> {
    client_id: ClientId,
    version: u32,
    status: String,
    #[serde(default)]
    position: Option<u64>,
    #[serde(default)]
    append_id: Option<AppendId>,
    #[serde(default, borrow)]
    errors: Option<Raw<'a>>,
}

/// Judges a response by its status code, its `Content-Type`, its body and its `Retry-After`.
pub fn read(code: u16, content_type: &str, body: &str, retry_after: Option<&str>) -> Outcome {
    let retry_after_ms = retry_after.and_then(seconds_as_ms);
    match code {
        // A captive portal answers 200 too, with a page.
        200 if is_json(content_type) => match read_answer(body) {
            Some(answer) => Outcome::Answered(Box::new(answer)),
            None => Outcome::Nothing { retry_after_ms },
        },
        400 | 413 | 422 | 500 => Outcome::TooMuch { retry_after_ms },
        _ => Outcome::Nothing { retry_after_ms },
    }
}

fn read_answer(body: &str) -> Option<StoreAnswer> {
    let wire: WireAnswer<'_> = json::read(body).ok()?;
    let results = wire.results.into_iter().filter_map(|raw| read_result(raw.text())).collect();
    Some(StoreAnswer { store: wire.store.id, tier: wire.store.tier, lineage: wire.lineage, results })
}

fn read_result(raw: &str) -> Option<ResultLine> {
    let wire: WireResult<'_> = json::read(raw).ok()?;
    Some(ResultLine {
        client_id: wire.client_id,
        version: wire.version,
        verdict: Verdict::deserialize(IntoDeserializer::<Unreadable>::into_deserializer(
            wire.status.as_str(),
        ))
        .ok(),
        position: wire.position,
        append_id: wire.append_id,
        errors: wire.errors.map(|raw| read_errors(raw.text())).unwrap_or_default(),
    })
}

/// The errors that this program has words for; that there is a refusal does not depend on them.
fn read_errors(raw: &str) -> Vec<FieldError> {
    let lines: Vec<Raw<'_>> = json::read(raw).unwrap_or_default();
    lines.into_iter().filter_map(|line| json::read(line.text()).ok()).collect()
}

/// Whether a `Content-Type` is that of a store's answer.
pub fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

/// The seconds form of `Retry-After`. The date form would need a clock that agrees with the server's.
fn seconds_as_ms(header: &str) -> Option<u64> {
    header.trim().parse::<u64>().ok().map(|seconds| seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str =
        r#""store":{"id":"0197f3c2-5c1e-7c3a-9d64-0242ac120002","tier":"cloud","head":5,"new":1}"#;

    fn results(lines: &str) -> Vec<ResultLine> {
        let body = format!(r#"{{{STORE},"lineage":"intact","erasures":{{}},"results":[{lines}]}}"#);
        match read(200, "application/json; charset=utf-8", &body, None) {
            Outcome::Answered(answer) => answer.results,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_typed_answer_counts_as_an_answer() {
        let body = format!(r#"{{{STORE},"lineage":"intact","results":[]}}"#);
        assert!(matches!(read(200, "application/json", &body, None), Outcome::Answered(_)));
        let portal = "<html>Welcome to Arena WiFi</html>";
        for (code, content_type, body) in [
            (200, "text/html", portal),
            (200, "text/html", body.as_str()),
            (200, "application/json", portal),
            (200, "application/json", "{}"),
            (200, "application/json", &body[..40]),
            (200, "", ""),
            (204, "application/json", body.as_str()),
            (302, "application/json", body.as_str()),
            (401, "application/json", body.as_str()),
            (408, "application/json", body.as_str()),
            (429, "application/json", body.as_str()),
            (502, "text/html", ""),
            (503, "application/problem+json", "{}"),
        ] {
            let outcome = read(code, content_type, body, None);
            assert!(matches!(outcome, Outcome::Nothing { retry_after_ms: None }), "{code} {content_type}");
        }
        for code in [400, 413, 422, 500] {
            assert!(matches!(read(code, "", "", None), Outcome::TooMuch { .. }), "{code}");
        }
    }

    #[test]
    fn retry_after_in_seconds_is_read_and_any_other_form_is_not_obeyed() {
        let wait = |header| match read(503, "", "", Some(header)) {
            Outcome::Nothing { retry_after_ms } => retry_after_ms,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(" 7 "), Some(7_000));
        assert_eq!(wait("18446744073709551615"), Some(u64::MAX));
        assert_eq!(wait("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(wait("-1"), None);
    }

    #[test]
    fn a_result_of_a_newer_store_hides_neither_itself_nor_its_neighbours() {
        let id = r#""clientId":"0197f3c2-5c1e-7c3a-9d64-0242ac120009","version":1"#;
        let read = results(&format!(
            r#"{{{id},"status":"created","position":5,"appendId":"5f0c9be2a1d47736","flags":["new-flag"]}},
               {{{id},"status":"postponed"}}, 7, {{"status":"created"}},
               {{{id},"status":"invalid","errors":[{{"field":"email","code":"malformed"}},{{"field":"age","code":"too-young"}}]}}"#
        ));
        let verdicts: Vec<_> = read.iter().map(|line| line.verdict).collect();
        assert_eq!(verdicts, [Some(Verdict::Created), None, Some(Verdict::Invalid)]);
        assert_eq!((read[0].position, read[2].errors.len()), (Some(5), 1));
    }
}
