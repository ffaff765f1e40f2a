//! A client in another language, generated from `proto/`: it calls every RPC and checks reasons, metadata and details.

use std::{path::Path, process::Stdio};

use crate::support::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_python_client_calls_every_rpc() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run `make setup`, which `make test` does",
        python.display()
    );
    let stack = Stack::start(&["--test-clock=true", "--bench=true"]).await;
    let output = tokio::process::Command::new(python)
        .arg(root.join("tests/python/client_test.py"))
        .env("HOLDBOOK_ADDR", stack.address().to_string())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the Python client runs");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    println!("{out}");
}
