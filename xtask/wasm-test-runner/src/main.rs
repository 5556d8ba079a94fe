//! The cargo runner of the WASM tests: `wasm-bindgen-test-runner`, built from its library in the version of
//! `Cargo.lock`, so there is no tool to install and none to go out of step. A crate of its own, because only
//! the tests should pay for compiling it.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
