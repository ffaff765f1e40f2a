//! `holdbook catalog apply|get` and `holdbook quote` as a person types them, with a server and without.

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::{Value, json};

use super::{
    shop::{Shop, small},
    text,
};
use crate::support::scratch;

fn holdbook(server: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdbook"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("HOLDBOOK_SERVER", server)
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What was done, as JSON.
fn done(server: &str, arguments: &[&str]) -> Value {
    let output = holdbook(server, &[&["--output", "json"], arguments].concat());
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        told(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_applied_shown_and_quoted() {
    let shop = Shop::open().await;
    let server = format!("http://{}", shop.stack.address());
    let folder = scratch("typed");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("catalog.yaml");
    let path = file.to_str().expect("UTF-8");
    fs::write(&file, small("1")).expect("a file");

    let looked = done(&server, &["catalog", "apply", path, "--validate-only"]);
    assert_eq!(
        (&looked["applied"], &looked["catalog"]["version"]),
        (&json!(false), &json!(1))
    );
    let applied = done(
        &server,
        &["catalog", "apply", path, "--expect-version", "0"],
    );
    assert_eq!(
        (&applied["applied"], &applied["catalog"]["applied_by"]),
        (&json!(true), &json!("cli"))
    );
    let again = done(&server, &["catalog", "apply", path]);
    assert_eq!(
        (&again["applied"], &again["catalog"]),
        (&json!(false), &applied["catalog"])
    );

    fs::write(&file, small("{min: 2, max: 3}")).expect("a file");
    let stale = holdbook(
        &server,
        &["catalog", "apply", path, "--expect-version", "0"],
    );
    assert_eq!(stale.status.code(), Some(1));
    assert!(
        told(&stale.stderr).starts_with("refused: ETAG_MISMATCH (ABORTED)"),
        "{}",
        told(&stale.stderr)
    );
    let at = shop.advance(0).await.seconds + 60;
    let at = jiff::Timestamp::from_second(at)
        .expect("an instant")
        .to_string();
    let later = done(&server, &["catalog", "apply", path, "--effective-at", &at]);
    assert_eq!(later["catalog"]["version"], json!(2));
    assert_eq!(
        later["changes"],
        json!([{"change": "changed", "what": "meters.job.prices.any", "old": "1", "new": "2 to 3"}])
    );

    let got = done(&server, &["catalog", "get"]);
    assert_eq!(
        (&got["yaml"], &got["newest_version"]),
        (&json!(small("1")), &json!(2))
    );
    let got = done(&server, &["catalog", "get", "--version", "2"]);
    assert_eq!(got["yaml"], json!(small("{min: 2, max: 3}")));

    let quoted = done(&server, &["quote", "job 1.5", "job 3"]);
    assert_eq!(
        (&quoted["minimum"], &quoted["maximum"]),
        (&json!("5"), &json!("5"))
    );
    let quoted = done(&server, &["quote", "--version", "2", "job 2"]);
    assert_eq!(
        (&quoted["minimum"], &quoted["maximum"]),
        (&json!("4"), &json!("6"))
    );
    let exact = done(
        &server,
        &["quote", "--version", "2", "--exact", "job 2 price=2.5"],
    );
    assert_eq!(
        (&exact["minimum"], &exact["maximum"]),
        (&json!("5"), &json!("5"))
    );
    let refused = holdbook(&server, &["quote", "jab 1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        told(&refused.stderr).contains("unknown meter \"jab\"; known: job"),
        "{}",
        told(&refused.stderr)
    );

    // Mistakes are those of the file, however many a refusal has room for.
    let broken = "tests/catalogs/broken/words.yaml";
    let output = holdbook(&server, &["catalog", "apply", broken]);
    assert_eq!(output.status.code(), Some(2));
    let expected: String = text("broken/words.txt")
        .lines()
        .map(|line| format!("{broken}:{line}\n"))
        .collect();
    assert_eq!(told(&output.stderr), expected);
    let rows = (0..300).map(|at| format!("  m{at}: {{unit: second, price: none}}\n"));
    fs::write(
        &file,
        format!("catalog: small\nmeters:\n{}", rows.collect::<String>()),
    )
    .expect("a file");
    for command in ["apply", "check"] {
        let output = holdbook(&server, &["catalog", command, path]);
        assert_eq!(
            (output.status.code(), told(&output.stderr).lines().count()),
            (Some(2), 300),
            "{command}"
        );
    }
    fs::remove_dir_all(&folder).expect("the folder");
    assert_eq!(
        done(&server, &["catalog", "get"])["newest_version"],
        json!(2)
    );
}

#[test]
fn the_examples_of_commands_that_ask_a_server_are_right() {
    for command in [&["catalog", "apply"][..], &["catalog", "get"], &["quote"]] {
        let help = told(&holdbook("", &[command, &["--help"]].concat()).stdout);
        let examples: Vec<_> = help
            .lines()
            .filter_map(|line| line.strip_prefix("  holdbook "))
            .collect();
        assert!(!examples.is_empty(), "{command:?}: {help}");
        for example in examples {
            let typed = example.split(" | ").next().unwrap_or_default();
            // What is between quotes is one word.
            let words = typed
                .split('\'')
                .enumerate()
                .flat_map(|(at, part)| match at % 2 {
                    0 => part.split_whitespace().collect(),
                    _ => vec![part],
                });
            let output = holdbook("http://127.0.0.1:1", &words.collect::<Vec<_>>());
            let error = told(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{example}: {error}");
            assert!(
                error.starts_with("no Holdbook answers at"),
                "{example}: {error}"
            );
        }
    }
    let wrong = holdbook("http://127.0.0.1:1", &["quote", "job"]);
    assert_eq!(wrong.status.code(), Some(2));
    let nowhere = holdbook("http://127.0.0.1:1", &["catalog", "apply", "nowhere.yaml"]);
    assert!(told(&nowhere.stderr).starts_with("cannot read nowhere.yaml: "));
}
