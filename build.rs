//! Compiles `proto/` into the generated types and the descriptor set that reflection serves.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 9] = [
    "holdbook/v1/types.proto",
    "holdbook/v1/error.proto",
    "holdbook/v1/metering.proto",
    "holdbook/v1/account.proto",
    "holdbook/v1/grant.proto",
    "holdbook/v1/pricing.proto",
    "holdbook/v1/subscription.proto",
    "holdbook/v1/test_clock.proto",
    "holdbook/v1/bench.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("holdbook.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
