//! Who may depend on whom, and what a folder must never name: the arrows of ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::test::counts::Counts;
use crate::workspace::Workspace;

/// Each crate and the crates of the workspace that it may depend on. Nothing may depend on `simulator`.
const MAY_DEPEND_ON: [(&str, &[&str]); 16] = [
    ("domain", &[]),
    ("managed-postgres", &[]),
    ("tls", &[]),
    ("venue", &[]),
    ("wasm-test-runner", &[]),
    ("event-store", &["domain"]),
    ("intake", &["domain", "event-store"]),
    ("identity", &["domain", "event-store"]),
    ("projections", &["domain", "event-store"]),
    ("client-wasm", &["domain"]),
    ("relay", &["domain", "event-store", "client-wasm"]),
    ("hub", &["domain", "event-store", "identity", "relay"]),
    (
        "leadlog",
        &["domain", "event-store", "hub", "identity", "intake", "projections", "managed-postgres", "tls"],
    ),
    (
        "benchmarks",
        &["domain", "event-store", "identity", "intake", "projections", "leadlog", "managed-postgres"],
    ),
    ("simulator", &["domain", "event-store", "intake", "relay", "projections", "client-wasm"]),
    ("xtask", &["managed-postgres"]),
];

/// Folders and the words that no code in them may use, with the reason.
const MUST_NOT_NAME: [(&str, &[&str], &str); 2] = [
    (
        "client-wasm/src/engine",
        &["browser", "web_sys", "js_sys", "wasm_bindgen", "HashMap", "HashSet", "SystemTime", "Instant"],
        "the engine is a pure state machine: it runs outside a browser, and the same input gives the same output",
    ),
    (
        "domain/src",
        &["SystemTime", "Instant", "now_utc", "now_local", "new_v4", "now_v7"],
        "the domain reads no clock and draws no random number",
    ),
];

/// Crates that would make the first load of the app heavy, or that have no business on a device.
const NOT_ON_THE_DEVICE: [&str; 9] =
    ["regex", "url", "idna", "validator", "phonenumber", "chrono", "tokio", "cqrs-es", "tracing"];

pub(crate) fn check(workspace: &Workspace) -> Result<Counts> {
    let metadata = workspace.metadata(&["--no-deps"])?;
    let mut problems = wrong_arrows(&metadata)?;
    for (folder, words, reason) in MUST_NOT_NAME {
        for path in rust_files(&workspace.path(folder))? {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let shown = path.strip_prefix(&workspace.root).unwrap_or(&path).display().to_string();
            let found = forbidden_words(&text, words);
            problems
                .extend(found.iter().map(|(line, word)| format!("{shown}:{line} names `{word}`: {reason}")));
        }
    }
    let args =
        ["tree", "--package", "client-wasm", "--edges", "normal", "--target", "wasm32-unknown-unknown"];
    let output = workspace.cargo(&args).args(["--prefix", "none", "--format", "{p}"]).output()?;
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let on_device: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let heavy = NOT_ON_THE_DEVICE.iter().filter(|name| on_device.contains(*name));
    problems.extend(heavy.map(|name| format!("client-wasm brings `{name}` to the device")));
    if !problems.is_empty() {
        bail!("against the architecture:\n  {}", problems.join("\n  "));
    }
    Ok(Counts::ONE_PASSED)
}

fn wrong_arrows(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut problems = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(crate_name, _)| *crate_name == name) else {
            problems.push(format!("`{name}` has no row in xtask/src/test/architecture.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            // Tests of any crate may start a PostgreSQL or make a hall, and switch on features of their own crate.
            let for_tests =
                dependency["kind"] == "dev" && (["managed-postgres", "venue"].contains(&to) || to == name);
            if ours.contains(to) && !allowed.contains(&to) && !for_tests {
                problems.push(format!("`{name}` must not depend on `{to}`"));
            }
        }
    }
    Ok(problems)
}

/// Lines (from 1) whose code uses one of the words; comments may speak of anything.
fn forbidden_words<'a>(text: &str, words: &[&'a str]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let names: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        found.extend(words.iter().filter(|word| names.contains(*word)).map(|word| (index + 1, *word)));
    }
    found
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_arrow_against_the_direction_is_found() {
        let package = |name: &str, dependencies: Value| json!({ "name": name, "dependencies": dependencies });
        let problems = wrong_arrows(&json!({ "packages": [
            package("domain", json!([{ "name": "event-store", "kind": "dev" }])),
            package("event-store", json!([{ "name": "domain" }, { "name": "managed-postgres", "kind": "dev" }, { "name": "serde" }])),
            package("managed-postgres", json!([])),
            package("projections", json!([{ "name": "managed-postgres" }, { "name": "simulator" }])),
            package("simulator", json!([])),
            package("newcomer", json!([])),
        ] }))
        .unwrap();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].contains("`domain` must not depend on `event-store`"));
        assert!(problems[3].contains("newcomer"));
    }

    #[test]
    fn words_count_in_code_and_not_in_comments() {
        let text = "// the browser does it\nuse crate::browser::Idb;\nlet my_browser = 1; // web_sys\nweb_sys::window();\n";
        assert_eq!(forbidden_words(text, &["browser", "web_sys"]), [(2, "browser"), (4, "web_sys")]);
    }
}
