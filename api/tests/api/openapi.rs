//! The checked-in document is the one that the code generates.

#[test]
fn the_checked_in_document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/leadlog.json");
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == leadlog::openapi::json().unwrap(),
        "openapi/leadlog.json is not what the routes say; run `cargo xtask openapi` and read the difference"
    );
}
