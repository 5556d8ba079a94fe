//! The body of a request: the domain's [`SyncRequest`], with the entries' bytes as they are.
//!
//! `serde_json` would carry them as `RawValue`s only, and makes one by reading its text all over again.

use domain::SyncRequest;

/// How a request without entries ends.
const NO_ENTRIES: &str = "[]}";

/// Writes `request`, which has no entries of its own, with these. Each must be one JSON value.
pub(super) fn write<'a>(request: &SyncRequest<'_>, entries: impl Iterator<Item = &'a str>) -> String {
    // Writing plain data to a string cannot fail; an empty body would be refused and tried again.
    let mut body = serde_json::to_string(request).unwrap_or_default();
    if body.ends_with(NO_ENTRIES) {
        body.truncate(body.len() - NO_ENTRIES.len());
        let mut before = '[';
        for entry in entries {
            body.push(before);
            body.push_str(entry);
            before = ',';
        }
        body.push_str(if before == '[' { NO_ENTRIES } else { "]}" });
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_reads_the_very_bytes_of_the_entries() {
        for entries in [&[][..], &[r#"{"a": [1 ]}"#], &["{}", " 7 ", r#""x""#]] {
            let sender = Some("ipad-7".parse().unwrap());
            let request = SyncRequest {
                sender,
                saved_through: Some(3),
                last_receipt: None,
                erasures_after: None,
                entries: Vec::new(),
            };
            let body = write(&request, entries.iter().copied());
            let read: SyncRequest<'_> = serde_json::from_str(&body).unwrap();
            assert_eq!((read.sender, read.saved_through), (request.sender, Some(3)), "{body}");
            let texts: Vec<_> = read.entries.iter().map(|entry| entry.get()).collect();
            assert_eq!(texts, entries.iter().map(|entry| entry.trim()).collect::<Vec<_>>(), "{body}");
        }
    }
}
