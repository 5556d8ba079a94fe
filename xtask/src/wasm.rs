//! The device library: compiled for wasm32, bound to JavaScript, and made small.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use wasm_bindgen_cli_support::Bindgen;

use crate::steps::Steps;
use crate::workspace::Workspace;

const MODULE: &str = "leadlog_client";

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
    steps.tool("compile the device library", &mut workspace.cargo(&args))?;
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
    steps.step("bind it to JavaScript", || bind(&compiled, &package))?;
    if optimizer.exists() {
        let mut command = Command::new(&optimizer);
        // What rustc 1.95 emits for this target without being asked; wasm-opt refuses what it is not told.
        command.args([
            "-Oz",
            "--enable-bulk-memory",
            "--enable-nontrapping-float-to-int",
            "--enable-sign-ext",
        ]);
        command.args(["--enable-mutable-globals", "--enable-reference-types", "--enable-multivalue"]);
        steps.tool("make it small", command.arg(&wasm).arg("-o").arg(&wasm))?;
    } else {
        steps.note("not optimized for size: the npm package `binaryen` is not installed in pwa");
    }
    steps.note(&sizes(&wasm)?);
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))
}

fn bind(compiled: &Path, package: &Path) -> Result<()> {
    let error = |error: anyhow::Error| anyhow!("wasm-bindgen: {error:#}");
    // Files of an earlier build would be served beside the new ones.
    if package.exists() {
        fs::remove_dir_all(package).with_context(|| format!("cannot remove {}", package.display()))?;
    }
    let mut bindgen = Bindgen::new();
    bindgen.input_path(compiled).out_name(MODULE).typescript(true).omit_default_module_path(false);
    bindgen.web(true).map_err(error)?.generate(package).map_err(error)
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
    hasher.finish()
}
