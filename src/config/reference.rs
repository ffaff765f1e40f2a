//! docs/configuration.md, rendered from the arguments and their bounds.
//!
//! Owns the page's form. A test keeps the file equal to it; `UPDATE_DOCS=1 cargo test` writes the file anew.

use clap::{Arg, Args, Command};

use super::{args::ServeArgs, bounds};

const HEAD: &str = "\
# Configuration

<!-- Generated from src/config; after a change: UPDATE_DOCS=1 cargo test configuration -->

Each setting is an environment variable and a flag of the same name; the flag wins. Everything is checked before the first
socket opens, and all mistakes are told at once. Durations are written with their unit, as `10ms`, `90s`, `15m`, `24h` or
`30d`; a day is 24 hours. A flag of the kind *true or false* can stand alone: `--test-clock`.

## `holdbook serve`

";

const TAIL: &str = "
## `holdbook dev`

`holdbook dev` starts a Redis and a Postgres of its own from the programs on the machine; all settings above but the two
URLs apply.

| variable | meaning |
|---|---|
| `HOLDBOOK_REDIS_SERVER` | The `redis-server` program. Default: the first on the `PATH`. |
| `HOLDBOOK_POSTGRES_BIN` | The folder with `postgres` and `initdb`. Default: the first on the `PATH`, then the newest under `/usr/lib/postgresql`. |

## Logs and telemetry

Logs go to standard error; `RUST_LOG` chooses them (default `info`), as `RUST_LOG=warn,holdbook=debug`. Prometheus metrics
are always on the admin port. Export over OTLP (gRPC) is on when one of the endpoint variables is set. These are
OpenTelemetry's standard variables; those that are not named here are honoured as its SDK does.

| variable | meaning |
|---|---|
| `OTEL_EXPORTER_OTLP_ENDPOINT` | Where traces, metrics and logs go, as `http://collector:4317`. |
| `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT` | The same for one signal; it wins. |
| `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER` | `otlp` (default) or `none`, for one signal. |
| `OTEL_SDK_DISABLED` | `true`: no export at all. |
| `OTEL_PROPAGATORS` | `tracecontext`, `baggage` (default: both) or `none`. |
| `OTEL_SERVICE_NAME` | Default: `holdbook`. |
";

/// The page.
pub fn reference() -> String {
    let command = ServeArgs::augment_args(Command::new("serve"));
    let rows: String = command.get_arguments().map(row).collect();
    format!(
        "{HEAD}| variable, flag | default | allowed | meaning |\n|---|---|---|---|\n{rows}{TAIL}"
    )
}

fn row(argument: &Arg) -> String {
    let id = argument.get_id();
    let setting = bounds::ALL.into_iter().find(|setting| id == setting.id);
    let (variable, flag, allowed) = setting
        .map(|setting| {
            (
                setting.variable(),
                setting.flag(),
                setting.allowed.to_string(),
            )
        })
        .unwrap_or_default();
    let default: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let default = if default.is_empty() {
        "required".to_owned()
    } else {
        format!("`{}`", default.join(" "))
    };
    // The form of durations is said once, above the table.
    let allowed = allowed.split(", as ").next().unwrap_or_default();
    let meaning = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!("| `{variable}`<br>`{flag}` | {default} | {allowed} | {meaning}. |\n")
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use super::*;

    #[test]
    fn docs_configuration_is_what_the_code_says() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&file, reference()).expect("docs/configuration.md can be written");
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            found == reference(),
            "docs/configuration.md is old: run UPDATE_DOCS=1 cargo test configuration"
        );
    }
}
