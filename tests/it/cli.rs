//! The command line as a person meets it: what it says without a server, and whether its own examples are right.

use std::process::{Command, Output};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
/// The commands that call a service.
const CLIENTS: [&str; 6] = [
    "account",
    "grant",
    "hold",
    "subscription",
    "replay",
    "bench",
];

fn holdbook<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holdbook"))
        .args(arguments)
        .env("HOLDBOOK_SERVER", NOWHERE)
        .output()
        .expect("the binary runs")
}

fn told(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

fn help(command: &[&str]) -> String {
    let output = holdbook(command.iter().copied().chain(["--help"]));
    assert!(output.status.success(), "{command:?} --help");
    told(&output.stdout)
}

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

/// The words of a command as a shell takes them: those between quotes are one.
fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect()
}

/// The examples of a help text, up to where the shell would take over.
fn examples(help: &str) -> Vec<Vec<&str>> {
    let examples = help
        .lines()
        .filter_map(|line| line.strip_prefix("  holdbook "));
    examples
        .map(|line| {
            words(line)
                .into_iter()
                .take_while(|word| !["|", ">"].contains(word))
                .collect()
        })
        .collect()
}

#[test]
fn every_client_command_has_an_example_that_is_right() {
    let mut leaves = 0;
    for client in CLIENTS {
        let text = help(&[client]);
        let mut texts = vec![(client.to_owned(), text.clone())];
        for name in subcommands(&text) {
            texts.push((format!("{client} {name}"), help(&[client, name])));
        }
        for (command, text) in texts {
            let examples = examples(&text);
            assert!(
                !examples.is_empty(),
                "`holdbook {command} --help` has no example"
            );
            for example in examples {
                let output = holdbook(example.iter().copied());
                let error = told(&output.stderr);
                // Understood, and sent to where nobody answers: wrong usage would be 2.
                assert_eq!(output.status.code(), Some(1), "{example:?}: {error}");
                assert!(
                    error.starts_with("no Holdbook answers at"),
                    "{example:?}: {error}"
                );
            }
            leaves += 1;
        }
    }
    assert_eq!(
        leaves, 34,
        "5 commands, 7 of account, 4 of grant, 8 of hold, 9 of subscription"
    );
}

#[test]
fn without_a_server_the_address_and_its_flag_are_named() {
    let output = holdbook(["account", "balance", "acme"]);
    assert_eq!(output.status.code(), Some(1));
    let error = told(&output.stderr);
    assert!(
        error.contains(NOWHERE) && error.contains("--server or HOLDBOOK_SERVER"),
        "{error}"
    );
    assert_eq!(told(&output.stdout), "");
    let output = holdbook(["account", "balance", "acme", "--server", "ftp://x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output.stderr).starts_with("--server ftp://x: not an address"));
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_allowed() {
    let cases: [(&[&str], &str); 9] = [
        (&["hold", "commit", "acme", "job"], "--amount <CREDITS>"),
        (
            &[
                "hold",
                "commit",
                "acme",
                "job",
                "--amount",
                "1",
                "--all-held",
            ],
            "cannot be used with",
        ),
        (
            &[
                "hold",
                "commit",
                "acme",
                "job",
                "--amount",
                "1",
                "--keep-open",
            ],
            "--commit-id <ID>",
        ),
        (
            &[
                "hold", "reserve", "acme", "job", "--amount", "1", "--ttl", "1 month",
            ],
            "300ms, 10m, 1h30m or 30d",
        ),
        (
            &[
                "hold", "reserve", "acme", "job", "--amount", "1", "--label", "moon",
            ],
            "project=moon",
        ),
        (
            &[
                "grant", "create", "acme", "g", "--amount", "1", "--kind", "refund",
            ],
            "promo, allowance, top-up",
        ),
        (
            &["account", "update", "acme", "--state", "closed"],
            "active, suspended",
        ),
        (
            &["account", "transfers", "acme", "--page-size", "1001"],
            "1..=1000",
        ),
        (
            &["account", "transfers", "acme", "--page-token", "t", "--all"],
            "cannot be used with",
        ),
    ];
    for (arguments, allowed) in cases {
        let output = holdbook(arguments.iter().copied());
        let error = told(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(allowed), "{arguments:?}: {error}");
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = holdbook(["completions", shell]);
        assert!(output.status.success(), "{shell}");
        let script = told(&output.stdout);
        for word in ["reserve", "revoke", "transfers", "top-up"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
