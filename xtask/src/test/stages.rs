//! The stages, in order.

use anyhow::{Context, Result, ensure};
use clap::builder::PossibleValuesParser;

use crate::child::{self, Ended};
use crate::postgres::{PrivatePostgres, URL_VARIABLE};
use crate::setup::{self, Browser, NO_BROWSER, office, webkit};
use crate::steps::Steps;
use crate::test::counts::{Counts, one};
use crate::test::{architecture, policy};
use crate::workspace::Workspace;
use crate::{pwa, server, wasm};

pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Stages whose failure makes this one pointless.
    pub(crate) needs: &'static [&'static str],
    /// Runs only when it is asked for.
    pub(crate) is_extra: bool,
    pub(crate) run: fn(&Workspace) -> Result<Counts>,
}

impl Stage {
    const fn new(
        name: &'static str,
        about: &'static str,
        needs: &'static [&'static str],
        run: fn(&Workspace) -> Result<Counts>,
    ) -> Self {
        Self { name, about, needs, is_extra: false, run }
    }

    const fn extra(self) -> Self {
        Self { is_extra: true, ..self }
    }
}

pub(crate) const STAGES: [Stage; 12] = [
    Stage::new("setup", "the tools that the tests need", &[], setup),
    Stage::new("fmt", "rustfmt", &[], fmt),
    Stage::new("policy", "licences and bans, from deny.toml", &[], policy::check),
    Stage::new("architecture", "who may depend on whom", &[], architecture::check),
    Stage::new("wasm", "the device library for the browser", &["setup"], build_wasm),
    Stage::new("pwa", "the app: types, catalogue, build", &["wasm"], build_pwa),
    Stage::new("clippy", "lints, warnings denied", &[], clippy),
    Stage::new("rust", "unit, property and PostgreSQL tests", &[], rust_tests),
    Stage::new("wasm-tests", "the device library in headless Chromium", &[], wasm_tests),
    Stage::new("browser", "what a hostess does, in Chromium", &["pwa"], browser_tests),
    Stage::new("webkit", "the same in the engine of iPads, in WebKitGTK", &["pwa"], webkit_tests),
    Stage::new("office", "the exports in LibreOffice; only with --office", &[], office_tests).extra(),
];

pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(STAGES.map(|stage| stage.name))
}

pub(crate) fn help() -> String {
    let lines: Vec<String> =
        STAGES.iter().map(|stage| format!("  {:<14}{}", stage.name, stage.about)).collect();
    format!("Stages:\n{}", lines.join("\n"))
}

fn setup(workspace: &Workspace) -> Result<Counts> {
    one(setup::for_testing(workspace, &Steps::verbose()))
}

fn fmt(workspace: &Workspace) -> Result<Counts> {
    one(Steps::verbose().tool("cargo fmt", &mut workspace.cargo(&["fmt", "--all", "--check"])))
}

fn build_wasm(workspace: &Workspace) -> Result<Counts> {
    let steps = Steps::verbose();
    pwa::install(workspace, &steps)?;
    one(wasm::build(workspace, &steps))
}

fn build_pwa(workspace: &Workspace) -> Result<Counts> {
    let steps = Steps::verbose();
    let mut counts = Counts::default();
    for script in ["check", "test"] {
        if pwa::has_script(workspace, script)? {
            let ended = echo(&mut workspace.npm(&["run", script]))?;
            let counted = Counts::of(&ended);
            // A script that is no test runner counts as one.
            counts = counts + if counted == Counts::default() { Counts::ONE_PASSED } else { counted };
        }
    }
    pwa::build(workspace, &steps)?;
    Ok(counts + Counts::ONE_PASSED)
}

fn clippy(workspace: &Workspace) -> Result<Counts> {
    let steps = Steps::verbose();
    let native = ["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"];
    let device = ["clippy", "--package", "client-wasm", "--target", "wasm32-unknown-unknown"];
    let denied = ["--all-targets", "--release", "--", "-D", "warnings"];
    let results = [
        steps.tool("clippy", &mut workspace.cargo(&native)),
        steps.tool("clippy for wasm32", &mut workspace.cargo(&[&device[..], &denied].concat())),
    ];
    results.into_iter().map(one).try_fold(Counts::default(), |sum, counts| Ok(sum + counts?))
}

fn rust_tests(workspace: &Workspace) -> Result<Counts> {
    let postgres = PrivatePostgres::start(workspace, &Steps::verbose())?;
    let mut command = workspace.cargo(&["test", "--workspace", "--release", "--no-fail-fast"]);
    let ended = echo(command.env(URL_VARIABLE, &postgres.url))?;
    Ok(Counts::of(&ended))
}

/// Compiled with the release profile, not with `wasm`: fat LTO over every test binary takes minutes, and
/// with `--release` the macros and build scripts are those that the server's build has compiled already.
fn wasm_tests(workspace: &Workspace) -> Result<Counts> {
    let browser = Browser::find().context(NO_BROWSER)?;
    let steps = Steps::verbose();
    let build = ["build", "--workspace", "--release", "--bin", "wasm-test-runner"];
    steps.tool("compile the WASM test runner", &mut workspace.cargo(&build))?;
    let test = [
        "test",
        "--release",
        "--package",
        "client-wasm",
        "--target",
        "wasm32-unknown-unknown",
        "--no-fail-fast",
    ];
    let ended = echo(
        workspace
            .cargo(&test)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", workspace.program("wasm-test-runner"))
            .env("CHROMEDRIVER", &browser.chromedriver)
            .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", workspace.path("client-wasm/webdriver.json"))
            .env("WASM_BINDGEN_TEST_TIMEOUT", "300"),
    )?;
    Ok(Counts::of(&ended))
}

fn browser_tests(workspace: &Workspace) -> Result<Counts> {
    let browser = Browser::find().context(NO_BROWSER)?;
    let programs = server::build_with_tests(workspace, &Steps::verbose())?;
    ensure!(pwa::has_script(workspace, "test:e2e")?, "pwa/package.json has no script test:e2e");
    let mut command = workspace.npm(&["run", "test:e2e"]);
    command
        .env("LEADLOG_BIN", programs.leadlog)
        .env("VENUE_BIN", programs.venue)
        .env("CHROMIUM", &browser.chromium)
        .env("CHROMEDRIVER", &browser.chromedriver);
    // A database of the developer's own must not get the tests' leads.
    let ended = echo(command.env_remove("DATABASE_URL"))?;
    Ok(Counts::of(&ended))
}

fn webkit_tests(workspace: &Workspace) -> Result<Counts> {
    if !webkit::IS_POSSIBLE {
        println!("skipped: WebKitGTK exists for Linux alone, so nothing was tested in the engine of iPads");
        return Ok(Counts::ONE_SKIPPED);
    }
    ensure!(webkit::is_installed(), webkit::NO_WEBKIT);
    let leadlog = server::build_with_tests(workspace, &Steps::verbose())?.leadlog;
    let mut command = workspace.npm(&["run", "test:webkit"]);
    // A database of the developer's own must not get the tests' leads.
    let ended = echo(command.env("LEADLOG_BIN", leadlog).env_remove("DATABASE_URL"))?;
    Ok(Counts::of(&ended))
}

/// One test of `api`, which the stage `rust` passes over.
fn office_tests(workspace: &Workspace) -> Result<Counts> {
    let steps = Steps::verbose();
    let soffice = office::installed(&steps)?;
    let postgres = PrivatePostgres::start(workspace, &steps)?;
    let test = ["test", "--workspace", "--release", "--test", "api", "--", "--ignored", "spreadsheets::"];
    let mut command = workspace.cargo(&test);
    let ended = echo(command.env(URL_VARIABLE, &postgres.url).env("SOFFICE", soffice))?;
    Ok(Counts::of(&ended))
}

fn echo(command: &mut std::process::Command) -> Result<Ended> {
    child::run(command, true, |_| {})
}
