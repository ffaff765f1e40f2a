//! Where the servers' programs are on this machine.
//!
//! Owns the search; nothing is downloaded or installed.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::error::DevError;

/// Names the `redis-server` program.
const REDIS_VARIABLE: &str = "HOLDBOOK_REDIS_SERVER";

/// Names the folder with Postgres' `postgres` and `initdb`.
const POSTGRES_VARIABLE: &str = "HOLDBOOK_POSTGRES_BIN";

/// Where Debian keeps each major version of Postgres, out of the `PATH`.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// Postgres' two programs.
#[derive(Clone, Debug)]
pub(super) struct PostgresPrograms {
    pub postgres: PathBuf,
    pub initdb: PathBuf,
}

/// The `redis-server` program: the variable, then the `PATH`.
pub(super) fn redis_server() -> Result<PathBuf, DevError> {
    let named = env::var_os(REDIS_VARIABLE).map(PathBuf::from);
    let found = match &named {
        Some(path) => path.is_file().then(|| path.clone()),
        None => path_folders()
            .into_iter()
            .map(|folder| folder.join("redis-server"))
            .find(|path| path.is_file()),
    };
    found.ok_or_else(|| {
        missing(
            "redis-server",
            "redis-server",
            REDIS_VARIABLE,
            named.as_deref(),
        )
    })
}

/// Postgres' programs: the variable, then the `PATH`, then Debian's newest.
pub(super) fn postgres() -> Result<PostgresPrograms, DevError> {
    let named = env::var_os(POSTGRES_VARIABLE).map(PathBuf::from);
    let folders = match &named {
        Some(folder) => vec![folder.clone()],
        None => path_folders().into_iter().chain(debian_folders()).collect(),
    };
    folders
        .into_iter()
        .map(|folder| PostgresPrograms {
            postgres: folder.join("postgres"),
            initdb: folder.join("initdb"),
        })
        .find(|programs| programs.postgres.is_file() && programs.initdb.is_file())
        .ok_or_else(|| {
            missing(
                "postgres with initdb",
                "postgresql",
                POSTGRES_VARIABLE,
                named.as_deref(),
            )
        })
}

fn path_folders() -> Vec<PathBuf> {
    env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default()
}

fn debian_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(DEBIAN_POSTGRES)
        .into_iter()
        .flatten()
        .flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    versions.sort();
    versions
        .into_iter()
        .rev()
        .map(|(_, folder)| folder)
        .collect()
}

fn missing(
    program: &'static str,
    package: &'static str,
    variable: &'static str,
    named: Option<&Path>,
) -> DevError {
    let named = named
        .map(|path| format!(" (now {})", path.display()))
        .unwrap_or_default();
    DevError::ProgramMissing {
        program,
        package,
        variable,
        named,
    }
}
