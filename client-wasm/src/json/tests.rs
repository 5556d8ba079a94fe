//! The reader against `serde_json`: the same texts are taken, with the same values, and refused.

use std::collections::BTreeMap;
use std::fmt::Debug;

use domain::{Campaign, LeadForm, SHOOTOUT_2026, Verdict};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::*;
use crate::engine::record::Records;

/// One of each kind of value that the device reads.
#[derive(Debug, PartialEq, Deserialize)]
struct Kinds {
    text: Option<String>,
    number: Option<i64>,
    small: Option<u32>,
    is_on: Option<bool>,
    verdict: Option<Verdict>,
    #[serde(default)]
    list: Vec<String>,
    #[serde(default)]
    inner: BTreeMap<String, u64>,
}

fn agrees<T: DeserializeOwned + PartialEq + Debug>(text: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(read::<T>(text).ok(), serde_json::from_str::<T>(text).ok(), "{:?}", text);
    Ok(())
}

/// As whatever it may be. Bytes of a [`Raw`] are those that `serde_json` would keep.
fn agrees_on_all(text: &str) -> Result<(), TestCaseError> {
    let raw = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
    prop_assert_eq!(read::<Raw<'_>>(text).ok().map(Raw::text), raw, "{:?}", text);
    prop_assert_eq!(read::<IgnoredAny>(text).is_ok(), raw.is_some(), "{:?}", text);
    agrees::<String>(text)?;
    agrees::<i64>(text)?;
    agrees::<u32>(text)?;
    agrees::<bool>(text)?;
    agrees::<Option<u64>>(text)?;
    agrees::<Vec<String>>(text)?;
    agrees::<BTreeMap<String, i64>>(text)?;
    if !text.trim_start().starts_with('[') {
        // `serde_json` also takes an array for a struct.
        agrees::<Kinds>(text)?;
        agrees::<LeadForm>(text)?;
        agrees::<Records>(text)?;
    }
    Ok(())
}

#[test]
fn corners_of_the_grammar() {
    let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let deep_texts = [deep(126), deep(127), deep(128), deep(100_000)];
    let texts = [
        "",
        " ",
        "null",
        "nul",
        "nullx",
        "true ",
        "truefalse",
        "0",
        "-0",
        "01",
        "-",
        "-1",
        "1.",
        "1.5",
        ".5",
        "1e",
        "1e5",
        "1E+05",
        "1e-5",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "4294967295",
        "4294967296",
        "1 2",
        "\u{feff}1",
        "\u{a0}1",
        r#""""#,
        r#"""#,
        r#""\"#,
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\x""#,
        r#""\u00e9""#,
        r#""\u00E9ż""#,
        r#""\u12""#,
        r#""\ud83c\udfc0""#,
        r#""\ud83c""#,
        r#""\ud83cx""#,
        r#""\ud83c\u0041""#,
        r#""\udfc0""#,
        r#""\u+123""#,
        "\"\u{7f}\"",
        "\"\n\"",
        "\"\u{0}\"",
        "[]",
        "[,]",
        "[1,]",
        "[1 2]",
        r#"["a", "b"]"#,
        "[",
        "{}",
        "{,}",
        r#"{"a":1,}"#,
        r#"{"a" : 1 }"#,
        r#"{"a":1,"a":2}"#,
        "{a:1}",
        "{1:1}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"text":"\ud800"}"#,
        r#"{"x":"\ud800"}"#,
        r#"{"text":"a","number":-3,"small":4,"is_on":false,"verdict":"duplicate_email","list":["x"],"inner":{"k":7}}"#,
        r#"{"verdict":"unheard-of"}"#,
        r#"{"text":"a","text":"b"}"#,
        r#"{"number":1.0}"#,
        r#"{"firstName":"A","grantedAt":{"terms":1},"consents":["terms"],"language":"pl"}"#,
        r#"{"firstName":7}"#,
        r#"{"phone":null,"consents":[]}"#,
        r#"{"entries":[{"v":1}]}"#,
        r#"{"stores":null,"unknown":[{"deep":[1.5e3]}]}"#,
    ];
    for text in texts.into_iter().chain(deep_texts.iter().map(String::as_str)) {
        agrees_on_all(text).unwrap();
    }
    agrees::<Campaign>(SHOOTOUT_2026).unwrap();
}

proptest! {
    /// Any soup of what JSON is made of.
    #[test]
    fn a_soup_of_tokens(parts in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83c", "\\udfc0", "0041", " ", "\n", "-", "0", "17", ".", "e", "+",
        "null", "true", "false", "\"text\"", "\"number\"", "\"list\"", "\"a\"", "\u{1}", "ż",
    ]), 0..14)) {
        agrees_on_all(&parts.concat())?;
    }

    /// What any program writes, and the same with one byte of damage.
    #[test]
    fn values_whole_and_damaged(
        text in prop::option::of(any::<String>()), number in any::<i64>(), small in any::<u64>(), list in any::<Vec<String>>(),
        at in any::<prop::sample::Index>(), byte in 0_u8..128,
    ) {
        let value = serde_json::json!({ "text": text, "number": number, "small": small, "list": list, "inner": { "k": small } });
        let json = value.to_string();
        agrees_on_all(&json)?;
        let mut damaged = json.into_bytes();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        if let Ok(damaged) = String::from_utf8(damaged) {
            agrees_on_all(&damaged)?;
        }
    }
}
