//! The device library: compiled for wasm32, bound to JavaScript, and made small.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;

use crate::steps::Steps;
use crate::workspace::Workspace;

mod names;
mod panics;
mod printable;

const MODULE: &str = "leadlog_client";

/// How wasm-opt makes it small. What counts is the size after brotli, as it travels.
const OPTIMIZER_OPTIONS: &[&str] = &[
    "-Oz",
    // To merge a function into its only caller saves bytes but makes what is alike less alike: without the
    // limit, the module is 1.5 % smaller and 5 % larger after brotli.
    "--one-caller-inline-max-function-size=20",
    // Until nothing gets smaller any more.
    "--converge",
    // What stands side by side in the source is alike, and the compressor sees it: half a percent. Ordering by use, which
    // is what `-Oz` does, makes only the module itself smaller, by 60 bytes.
    "--reorder-functions-by-name",
    "--strip-producers",
    // What rustc 1.95 emits for this target without being asked; wasm-opt refuses what it is not told.
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Builds `client-wasm/pkg`: `leadlog_client.js`, `leadlog_client_bg.wasm` and their types.
pub(crate) fn build(workspace: &Workspace, steps: &Steps) -> Result<()> {
    let args = [
        "build",
        "--profile",
        "wasm",
        "--target",
        "wasm32-unknown-unknown",
        "--package",
        "client-wasm",
        "--lib",
    ];
    let mut compile = workspace.cargo(&args);
    compile.env("CARGO_ENCODED_RUSTFLAGS", without_machine_paths());
    steps.tool("compile the device library", &mut compile)?;
    let compiled = workspace.target.join(format!("wasm32-unknown-unknown/wasm/{MODULE}.wasm"));
    let bytes = fs::read(&compiled)
        .with_context(|| format!("no {}; is client-wasm a cdylib named {MODULE}?", compiled.display()))?;

    let optimizer = workspace.path("pwa/node_modules/.bin/wasm-opt");
    let package = workspace.path("client-wasm/pkg");
    let wasm = package.join(format!("{MODULE}_bg.wasm"));
    // What is there already was made from the same bytes in the same way: nothing to do.
    let stamp_file = package.join(".made-from");
    let stamp = format!("{:016x} optimized={}\n", fingerprint(&bytes), optimizer.exists());
    if wasm.exists() && fs::read_to_string(&stamp_file).is_ok_and(|made_from| made_from == stamp) {
        return Ok(());
    }
    let silent = steps.step("bind it to JavaScript", || bind(&compiled, &package))?;
    steps.note(&format!("{silent} functions that only worded panics are traps"));
    if optimizer.exists() {
        let mut command = Command::new(&optimizer);
        command.args(OPTIMIZER_OPTIONS).arg(&wasm).arg("-o").arg(&wasm);
        steps.tool("make it small", &mut command)?;
    } else {
        steps.note("not optimized for size: the npm package `binaryen` is not installed in pwa");
    }
    steps.note(&sizes(&wasm)?);
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))
}

/// Panics name their source file. Without the path of this machine's crate sources, the module is the same
/// wherever it is built.
fn without_machine_paths() -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let sources = registries.into_iter().flatten().flatten().map(|registry| registry.path());
    let flags: Vec<_> = sources.map(|path| format!("--remap-path-prefix={}=", path.display())).collect();
    flags.join("\u{1f}")
}

/// Returns how many functions say nothing any more.
fn bind(compiled: &Path, package: &Path) -> Result<usize> {
    let error = |error: anyhow::Error| anyhow!("wasm-bindgen: {error:#}");
    // Files of an earlier build would be served beside the new ones.
    if package.exists() {
        fs::remove_dir_all(package).with_context(|| format!("cannot remove {}", package.display()))?;
    }
    let mut bindgen = Bindgen::new();
    bindgen.input_path(compiled).out_name(MODULE).typescript(true).omit_default_module_path(false);
    let mut output = bindgen.web(true).map_err(error)?.generate_output().map_err(error)?;
    let module = output.wasm_mut();
    let were_read = printable::are_read(module);
    let silent = panics::silence(module);
    walrus::passes::gc::run(module);
    // Where the readers have another name, nobody knows whether they are gone.
    if were_read && !printable::are_read(module) {
        printable::blank(module);
    }
    let renamed = names::shorten(output.wasm_mut())?;
    output.emit(package).map_err(error)?;
    let file = package.join(format!("{MODULE}.js"));
    let js = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let js = names::rename(js, &renamed)?;
    fs::write(&file, js).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(silent)
}

/// Node compresses, so that xtask need not compile a compressor.
fn sizes(wasm: &Path) -> Result<String> {
    let script = "const z = require('node:zlib'), b = require('node:fs').readFileSync(process.argv[1]); \
                  console.log([b, z.gzipSync(b, { level: 9 }), z.brotliCompressSync(b)].map((x) => x.length).join(' '))";
    let output = Command::new("node").args(["-e", script]).arg(wasm).output().context("cannot run node")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let sizes: Vec<&str> = text.split_whitespace().collect();
    let [raw, gzip, brotli] = sizes[..] else {
        return Err(anyhow!("node: {}", String::from_utf8_lossy(&output.stderr).trim()));
    };
    Ok(format!("{MODULE}_bg.wasm: {raw} bytes, gzip {gzip}, brotli {brotli}"))
}

fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    // A new version of this program may bind in a new way.
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    OPTIMIZER_OPTIONS.hash(&mut hasher);
    hasher.finish()
}
