//! Reads what came back from a request. Whatever is not plainly a store's typed answer means: try again.
//!
//! The reading is more lenient than `domain::SyncResponse`: a store may be newer than this device, and a word
//! in one result that is not understood must not hide the results beside it. Only where something is believed
//! because nothing was said against it (a hub has relayed all this, and the cloud refused only that) must
//! everything be understood.

use domain::{AppendId, ClientId, FieldError, Lineage, Receipt, StoreId, Tier, Verdict};

use super::stored;
use crate::json::{self, Object};

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
    /// Of a hub: everything up to here is in the cloud, but what is in `cloud_verdicts`.
    pub relayed_through: Option<u64>,
    /// Of a hub: its newest receipt from the cloud.
    pub cloud_receipt: Option<Receipt>,
    /// People who were erased, after the cursor of the request; `None` when that could not be read.
    pub erasures: Option<Erasures>,
    /// Of a hub: what the cloud said, after the cursor of the request; `None` when not all of it could be
    /// read.
    pub cloud_verdicts: Option<CloudVerdicts>,
    /// The results that could be read.
    pub results: Vec<ResultLine>,
}

/// People who were erased.
#[derive(Debug)]
pub struct Erasures {
    /// The next cursor.
    pub through: u64,
    /// What proves it, when it has moved.
    pub append_id: Option<AppendId>,
    /// Their leads.
    pub client_ids: Vec<ClientId>,
}

/// What the cloud said to a hub.
#[derive(Debug)]
pub struct CloudVerdicts {
    /// The next cursor.
    pub through: u64,
    /// Each with the store that said it.
    pub verdicts: Vec<(StoreId, ResultLine)>,
}

/// What was said about one entry.
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
    let it = Object::read(body)?;
    let store = it.object("store")?;
    let mut results = Vec::new();
    for raw in it.items("results")? {
        results.extend(read_result(raw.text()));
    }
    Some(StoreAnswer {
        store: store.parsed("id")?,
        tier: store.word("tier")?,
        lineage: it.word("lineage")?,
        relayed_through: store.number("relayedThrough"),
        cloud_receipt: store.object("cloudReceipt").and_then(|it| stored::receipt(&it)),
        erasures: it.object("erasures").and_then(|it| read_erasures(&it)),
        cloud_verdicts: it.object("cloudVerdicts").and_then(|it| read_cloud_verdicts(&it)),
        results,
    })
}

fn read_erasures(it: &Object<'_>) -> Option<Erasures> {
    it.raw("clientIds")?;
    let client_ids = it.list("clientIds", |id| json::text(id)?.parse().ok())?;
    Some(Erasures { through: it.number("through")?, append_id: it.parsed("appendId"), client_ids })
}

fn read_cloud_verdicts(it: &Object<'_>) -> Option<CloudVerdicts> {
    let mut verdicts = Vec::new();
    for said in it.items("verdicts")? {
        let said = Object::read(said.text())?;
        let line = line(&said, &said.object("result")?)?;
        // A word of the cloud that this program does not know may be a refusal.
        line.verdict?;
        verdicts.push((said.parsed("storeId")?, line));
    }
    Some(CloudVerdicts { through: it.number("through")?, verdicts })
}

fn read_result(raw: &str) -> Option<ResultLine> {
    let it = Object::read(raw)?;
    line(&it, &it)
}

/// What was said about the entry that `label` names.
fn line(label: &Object<'_>, said: &Object<'_>) -> Option<ResultLine> {
    said.text("status")?;
    // Those that this program has words for; that there is a refusal does not depend on them.
    let mut errors = Vec::new();
    for error in said.items("errors").unwrap_or_default() {
        errors.extend(stored::field_error(error));
    }
    Some(ResultLine {
        client_id: label.parsed("clientId")?,
        version: label.small("version")?,
        verdict: said.word("status"),
        position: said.number("position"),
        append_id: said.parsed("appendId"),
        errors,
    })
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

    #[test]
    fn what_a_hub_passes_on_is_read_whole_or_not_at_all() {
        let id = "0197f3c2-5c1e-7c3a-9d64-0242ac120009";
        let verdict = |status: &str| {
            format!(
                r#"{{"storeId":"{id}","clientId":"{id}","version":2,"result":{{"status":"{status}","position":4}}}}"#
            )
        };
        let read = |verdicts: &str| {
            let page = format!(r#""cloudVerdicts":{{"through":9,"verdicts":[{verdicts}]}}"#);
            let body = format!(r#"{{{STORE},"lineage":"intact","results":[],{page}}}"#);
            match read(200, "application/json", &body, None) {
                Outcome::Answered(answer) => answer.cloud_verdicts,
                other => panic!("{other:?}"),
            }
        };
        let page = read(&verdict("invalid")).unwrap();
        assert_eq!((page.through, page.verdicts[0].1.version, page.verdicts[0].1.position), (9, 2, Some(4)));
        assert!(read(&format!("{},{}", verdict("invalid"), verdict("put-aside"))).is_none());
        assert!(read("7").is_none());
    }
}
