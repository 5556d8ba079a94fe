//! What is JSON, and what it says, compared with `serde_json`.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;

/// As whatever it may be. The texts of values are those that `serde_json` would keep.
fn agrees_on_all(json: &str) -> Result<(), TestCaseError> {
    let theirs: Option<Value> = serde_json::from_str(json).ok();
    if let Some(items) = items(json) {
        let raws: Option<Vec<&RawValue>> = serde_json::from_str(json).ok();
        let raws = raws.map(|raws| raws.into_iter().map(RawValue::get).collect::<Vec<_>>());
        prop_assert_eq!(Some(items.into_iter().map(Raw::text).collect()), raws, "{:?}", json);
    } else {
        prop_assert!(!theirs.as_ref().is_some_and(Value::is_array), "{:?}", json);
    }
    let Some(object) = Object::read(json) else {
        prop_assert!(!theirs.is_some_and(|value| value.is_object()), "{:?}", json);
        return Ok(());
    };
    // Half a surrogate pair, and a number beyond what a float holds, pass where nobody asks what they say;
    // `serde_json` cannot hold them.
    let Some(Value::Object(theirs)) = theirs else {
        let why =
            serde_json::from_str::<Value>(json).map_or_else(|error| error.to_string(), |_| String::new());
        prop_assert!(json.contains("\\ud") || why.contains("number out of range"), "{:?}", json);
        return Ok(());
    };
    for (name, value) in &theirs {
        let is_once = json.matches(&format!("\"{name}\"")).count() == 1;
        if is_once {
            prop_assert_eq!(object.text(name), value.as_str().map(str::to_owned), "{:?}", json);
            prop_assert_eq!(object.number(name), value.as_u64(), "{:?}", json);
            prop_assert_eq!(object.is_true(name), value.as_bool() == Some(true), "{:?}", json);
            prop_assert_eq!(object.raw(name).is_none(), value.is_null(), "{:?}", json);
            prop_assert_eq!(object.object(name).is_some(), value.is_object(), "{:?}", json);
            prop_assert_eq!(
                object.items(name).map(|it| it.len()),
                value.as_array().map(Vec::len),
                "{:?}",
                json
            );
        }
    }
    Ok(())
}

/// As a field of an object, and as it stands.
fn agrees(json: &str) -> Result<(), TestCaseError> {
    agrees_on_all(json)?;
    agrees_on_all(&format!("{{\"field\":{json}}}"))?;
    agrees_on_all(&format!("[{json}]"))
}

#[test]
fn corners_of_the_grammar() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(items(&deep).map(|items| items.len()), Some(1), "no depth ends the stack");
    let texts = [
        "1E999",
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
    for text in texts {
        agrees(text).unwrap();
    }
}

proptest! {
    /// Any soup of what JSON is made of.
    #[test]
    fn a_soup_of_tokens(parts in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83c", "\\udfc0", "0041", " ", "\n", "-", "0", "17", ".", "e", "+",
        "null", "true", "false", "\"text\"", "\"number\"", "\"list\"", "\"a\"", "\u{1}", "ż",
    ]), 0..14)) {
        agrees(&parts.concat())?;
    }

    /// What any program writes, and the same with one byte of damage.
    #[test]
    fn values_whole_and_damaged(
        text in prop::option::of(any::<String>()), number in any::<i64>(), small in any::<u64>(), list in any::<Vec<String>>(),
        at in any::<prop::sample::Index>(), byte in 0_u8..128,
    ) {
        let value = serde_json::json!({ "text": text, "number": number, "small": small, "list": list, "inner": { "k": small } });
        let json = value.to_string();
        agrees(&json)?;
        let mut damaged = json.into_bytes();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        if let Ok(damaged) = String::from_utf8(damaged) {
            agrees(&damaged)?;
        }
    }
}

#[test]
fn text_is_escaped_as_serde_would() {
    let all: String = (0..=0x2030).filter_map(char::from_u32).chain(['\u{feff}', '\u{1f3c0}']).collect();
    assert_eq!(writer::text(&all), serde_json::to_string(&all).unwrap());
}

#[test]
fn what_is_written_is_read() {
    let mut inner = Fields::new();
    inner.number("n", u64::MAX);
    let mut it = Fields::new();
    it.text("text", "Zażółć \"\n\u{1}");
    it.number_if("absent", None);
    it.raw("inner", &inner.end());
    it.list("none", &[] as &[u8], |_| String::new());
    it.list("some", &[1_u8, 2], u8::to_string);
    it.raw("empty", &Fields::new().end());
    let json = it.end();
    let value: Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!({
        "text": "Zażółć \"\n\u{1}", "inner": { "n": u64::MAX }, "some": [1, 2], "empty": {}
    });
    assert_eq!(value, expected);
}
