//! Short names for what the device library and its JavaScript call each other.
//!
//! wasm-bindgen makes them unique with digests, which no compressor makes smaller, and each of them travels twice.

use anyhow::{Result, ensure};
use walrus::Module;

/// How the names of exports begin through which JavaScript calls closures.
const CLOSURES: &str = "wasm_bindgen__convert__closures";

/// What stands in the JavaScript, and what must stand there instead.
#[derive(Debug)]
pub(super) struct Renamed {
    from: String,
    to: String,
}

/// Renames in the module.
pub(super) fn shorten(module: &mut Module) -> Result<Vec<Renamed>> {
    let mut renamed = Vec::new();
    let mut rename = |from: String, to: String| renamed.push(Renamed { from, to });
    // Our own JavaScript is imported from its own files, under its own names.
    let is_glue = |import: &&walrus::Import| import.module.ends_with("_bg.js");
    let glue = module.imports.iter().find(is_glue).map(|import| import.module.clone()).unwrap_or_default();
    rename(format!("\"{glue}\": import0"), "_: import0".to_owned());
    for (number, import) in module.imports.iter_mut().filter(|import| import.module == glue).enumerate() {
        let short = short_name(number);
        rename(format!("\n        {}: ", import.name), format!("\n        {short}: "));
        (import.module, import.name) = ("_".to_owned(), short);
    }
    let closures = module.exports.iter_mut().filter(|export| export.name.starts_with(CLOSURES));
    for (number, export) in closures.enumerate() {
        let short = short_name(number);
        rename(format!("wasm.{}(", export.name), format!("wasm.{short}("));
        export.name = short;
    }
    Ok(renamed)
}

/// Renames in the JavaScript, where each of them stands once.
pub(super) fn rename(mut js: String, renamed: &[Renamed]) -> Result<String> {
    for Renamed { from, to } in renamed {
        let count = js.matches(from).count();
        ensure!(count == 1, "`{}` stands {count} times in the JavaScript of wasm-bindgen", from.trim());
        js = js.replacen(from, to, 1);
    }
    Ok(js)
}

/// `a` to `z`, then `aa` and so on.
fn short_name(number: usize) -> String {
    let letter = char::from(b"abcdefghijklmnopqrstuvwxyz"[number % 26]);
    let before = if number < 26 { String::new() } else { short_name(number / 26 - 1) };
    format!("{before}{letter}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_names_are_the_same() {
        assert_eq!([0, 25, 26, 701, 702].map(short_name), ["a", "z", "aa", "zz", "aaa"]);
        assert_eq!((0..2_000).map(short_name).collect::<BTreeSet<_>>().len(), 2_000);
    }

    #[test]
    fn a_name_that_is_not_found_once_is_an_error() {
        let renamed = [Renamed { from: "wasm.long(".to_owned(), to: "wasm.a(".to_owned() }];
        assert_eq!(rename("wasm.long(1)".to_owned(), &renamed).unwrap(), "wasm.a(1)");
        for js in ["", "wasm.long(1); wasm.long(2)"] {
            assert!(rename(js.to_owned(), &renamed).is_err());
        }
    }
}
