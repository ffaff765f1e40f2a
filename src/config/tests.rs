//! What is typed against what the program gets.

use clap::{Args, Command, FromArgMatches};

use super::*;

/// Parses flags as the program would; the environment of the test is not consulted for what is given here.
fn typed(flags: &[&str]) -> ServeArgs {
    let stores = [
        "holdbook",
        "--redis-url=redis://h",
        "--postgres-url=postgres://u:secret@h/d",
    ];
    let command =
        ServeArgs::augment_args(Command::new("holdbook")).mut_args(|arg| arg.env(None::<&str>));
    let matches = command
        .try_get_matches_from(stores.iter().chain(flags))
        .expect("known flags");
    ServeArgs::from_arg_matches(&matches).expect("text fits everywhere")
}

fn config(flags: &[&str]) -> Result<Config, Mistakes> {
    Config::from_args(typed(flags))
}

#[test]
fn defaults_are_right() {
    let config = config(&[]).expect("the defaults");
    let defaults = ServeArgs {
        stores: typed(&[]).stores,
        service: ServiceArgs::default(),
    };
    assert_eq!(Config::from_args(defaults).as_ref(), Ok(&config));
    assert_eq!(config.listen.to_string(), "127.0.0.1:7600");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:7601");
    assert_eq!(config.partitions, 4);
    assert_eq!(config.default_ttl, Duration::from_secs(3600));
    assert_eq!(config.max_ttl, Duration::from_secs(24 * 3600));
    assert_eq!(config.max_lifetime, Duration::from_secs(7 * 24 * 3600));
    assert_eq!(config.refund_ttl, Duration::from_secs(30 * 24 * 3600));
    assert_eq!(config.ledger_wait, Duration::from_secs(5));
    assert_eq!(
        (config.backlog_soft, config.backlog_hard),
        (100_000, 200_000)
    );
    assert_eq!((config.batch_max, config.max_in_flight), (64, 4096));
    assert_eq!(config.relay_pause, Duration::from_millis(10));
    assert_eq!(config.relay_gather, Duration::from_millis(100));
    assert_eq!(config.audit_pause, Duration::from_secs(1));
    assert_eq!(config.postgres_timeout, Duration::from_secs(15));
    assert_eq!(config.log_format, LogFormat::Text);
    assert!(!config.test_clock && !config.bench && !config.allow_volatile_redis);
}

#[test]
fn what_is_typed_arrives() {
    let config = config(&[
        "--partitions=16",
        "--max-ttl",
        "36h",
        "--test-clock",
        "--bench=true",
        "--log-format=json",
    ]);
    let config = config.expect("allowed values");
    assert_eq!(config.partitions, 16);
    assert_eq!(config.max_ttl, Duration::from_secs(36 * 3600));
    assert!(config.test_clock && config.bench && !config.allow_volatile_redis);
    assert_eq!(config.log_format, LogFormat::Json);
}

#[test]
fn every_mistake_is_told_with_what_is_allowed() {
    let mut args = typed(&[
        "--listen=here",
        "--partitions=3",
        "--max-ttl=soon",
        "--bench=perhaps",
    ]);
    args.stores.redis_url = None;
    let text = Config::from_args(args)
        .expect_err("five mistakes")
        .to_string();
    assert_eq!(
        text,
        "the configuration cannot be used:\n  \
         HOLDBOOK_REDIS_URL (--redis-url) is missing; allowed: a URL that begins with redis:// or redis+unix://\n  \
         HOLDBOOK_LISTEN (--listen) is \"here\"; allowed: an IP address and a port, as 127.0.0.1:7600 or [::1]:7600\n  \
         HOLDBOOK_PARTITIONS (--partitions) is \"3\"; allowed: a power of two, 1 to 1024\n  \
         HOLDBOOK_MAX_TTL (--max-ttl) is \"soon\"; allowed: 1ms to 3660d, as 10ms, 90s, 15m, 24h or 30d\n  \
         HOLDBOOK_BENCH (--bench) is \"perhaps\"; allowed: true or false"
    );
}

#[test]
fn settings_must_fit_each_other() {
    for (flags, variable) in [
        (["--default-ttl=2h", "--max-ttl=1h"], "HOLDBOOK_DEFAULT_TTL"),
        (["--max-ttl=8d", "--max-lifetime=7d"], "HOLDBOOK_MAX_TTL"),
        (
            ["--backlog-soft=11", "--backlog-hard=10"],
            "HOLDBOOK_BACKLOG_SOFT",
        ),
        (
            ["--batch-max=65", "--max-in-flight=64"],
            "HOLDBOOK_BATCH_MAX",
        ),
        (
            ["--listen=127.0.0.1:9", "--admin-listen=127.0.0.1:9"],
            "HOLDBOOK_ADMIN_LISTEN",
        ),
    ] {
        let Mistakes(mistakes) = config(&flags).expect_err(variable);
        assert_eq!(
            mistakes
                .iter()
                .map(|mistake| mistake.variable.as_str())
                .collect::<Vec<_>>(),
            [variable]
        );
    }
    config(&["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"])
        .expect("port 0 is a free one each");
}

#[test]
fn passwords_are_never_shown() {
    let args = typed(&[]);
    let shown = format!(
        "{args:?} {:?}",
        Config::from_args(args.clone()).expect("the defaults")
    );
    assert!(!shown.contains("secret"), "{shown}");
    let mut args = args;
    args.stores.postgres_url = Some("postgre://u:secret@h/d".to_owned());
    let told = Config::from_args(args)
        .expect_err("a wrong scheme")
        .to_string();
    assert!(
        told.contains("HOLDBOOK_POSTGRES_URL") && !told.contains("secret"),
        "{told}"
    );
}

#[test]
fn each_argument_has_its_variable_and_its_bounds() {
    let command = ServeArgs::augment_args(Command::new("holdbook"));
    let arguments: Vec<_> = command.get_arguments().collect();
    assert_eq!(arguments.len(), bounds::ALL.len());
    for (argument, setting) in arguments.into_iter().zip(bounds::ALL) {
        assert_eq!(argument.get_id(), setting.id);
        assert_eq!(
            argument.get_env().and_then(|name| name.to_str()),
            Some(setting.variable().as_str())
        );
        assert_eq!(
            argument.get_long().map(|flag| format!("--{flag}")),
            Some(setting.flag())
        );
    }
}
