//! Licences and bans. With `cargo-deny` installed it does all that deny.toml says; without, this reads the
//! same file and checks what needs no network: licences, banned crates and sources.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};
use toml::Table;

use crate::steps::Steps;
use crate::test::counts::{Counts, one};
use crate::workspace::Workspace;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn check(workspace: &Workspace) -> Result<Counts> {
    if workspace.cargo(&["deny", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return one(Steps::verbose().tool("cargo deny", &mut workspace.cargo(&["deny", "check"])));
    }
    println!("  cargo-deny is not installed: licences, bans and sources are checked, advisories are not");
    let path = workspace.path("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rules = Rules::parse(&text).with_context(|| format!("cannot read {}", path.display()))?;
    let metadata = workspace.metadata(&[])?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let problems: Vec<String> = packages.iter().filter_map(|package| rules.problem_with(package)).collect();
    if !problems.is_empty() {
        bail!("against deny.toml:\n  {}", problems.join("\n  "));
    }
    println!("  {} packages keep to deny.toml", packages.len());
    Ok(Counts::ONE_PASSED)
}

/// What deny.toml allows and bans.
struct Rules {
    allowed: Vec<LicenseReq>,
    banned: BTreeSet<String>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let file: Table = text.parse()?;
        let list = |table: &str, key: &str| {
            file.get(table)
                .and_then(|table| table.get(key)?.as_array())
                .with_context(|| format!("no {key} in [{table}]"))
        };
        let mut allowed = Vec::new();
        for licence in list("licenses", "allow")? {
            let name = licence.as_str().context("licenses.allow holds texts")?;
            let expression = Expression::parse(name).with_context(|| format!("{name} is no SPDX licence"))?;
            allowed.extend(expression.requirements().map(|requirement| requirement.req.clone()));
        }
        let names = list("bans", "deny")?.iter().map(|ban| ban.get("crate").and_then(|name| name.as_str()));
        let banned = names.map(|name| name.map(str::to_owned)).collect::<Option<_>>();
        Ok(Self { allowed, banned: banned.context("each entry of bans.deny has a `crate`")? })
    }

    fn problem_with(&self, package: &Value) -> Option<String> {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let problem = |what: String| Some(format!("{} {}: {what}", text("name"), text("version")));
        if self.banned.contains(text("name")) {
            return problem("is banned".to_owned());
        }
        // A crate of the workspace: it has our licence and no source.
        let source = package["source"].as_str()?;
        if source != CRATES_IO {
            return problem(format!("comes from {source}"));
        }
        let Ok(expression) = Expression::parse_mode(text("license"), ParseMode::LAX) else {
            return problem(format!("has no licence that can be read ({:?})", text("license")));
        };
        if expression.evaluate(|requirement| self.allowed.contains(requirement)) {
            return None;
        }
        problem(format!("is under {}, which is not allowed", text("license")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_what_is_not_allowed() {
        let rules = "[licenses]\nallow = ['MIT', 'Apache-2.0 WITH LLVM-exception']\n[bans]\ndeny = [{ crate = 'bad' }]\n";
        let rules = Rules::parse(rules).unwrap();
        let problem = |name: &str, license: Option<&str>, source: Option<&str>| {
            rules.problem_with(
                &json!({ "name": name, "version": "1.0.0", "license": license, "source": source }),
            )
        };
        let registry = Some(CRATES_IO);
        assert_eq!(problem("good", Some("MIT/Apache-2.0"), registry), None);
        assert_eq!(problem("good", Some("Apache-2.0 WITH LLVM-exception"), registry), None);
        assert_eq!(problem("ours", Some("Apache-2.0"), None), None);
        assert!(problem("bad", Some("MIT"), registry).unwrap().contains("banned"));
        assert!(problem("x", Some("MIT AND GPL-3.0"), registry).unwrap().contains("not allowed"));
        assert!(
            problem("x", Some("Apache-2.0"), registry).unwrap().contains("not allowed"),
            "without the exception"
        );
        assert!(problem("x", None, registry).unwrap().contains("no licence"));
        assert!(problem("x", Some("MIT"), Some("git+https://example.com/x")).unwrap().contains("comes from"));
    }
}
