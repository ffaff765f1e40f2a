//! What can go wrong with the private servers, said so that a reader can act on it.
//!
//! Owns the error type of the room; the modules beside it decide when each one applies.

use std::{io, path::PathBuf, time::Duration};

use thiserror::Error;

/// Why a private server could not be started, reached or stopped.
#[derive(Debug, Error)]
pub enum DevError {
    /// A server's program is not on the machine.
    #[error(
        "{program} was not found: install the Debian package {package} (`make setup` does), \
         or name it in {variable}{named}"
    )]
    ProgramMissing {
        /// The program's name.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
        /// The environment variable that may name it.
        variable: &'static str,
        /// What that variable said, ready to be appended; empty when unset.
        named: String,
    },
    /// Another live process works in the folder.
    #[error("the data folder {} is in use by the process {pid}: stop it, or choose another folder", folder.display())]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// The process that holds it, as it wrote it down.
        pid: String,
    },
    /// The folder holds something that is not Holdbook's.
    #[error(
        "the folder {} is not empty and was not made by holdbook (it has no {marker}): choose an empty or a new one",
        folder.display()
    )]
    FolderForeign {
        /// The folder.
        folder: PathBuf,
        /// The file that would mark it as Holdbook's.
        marker: &'static str,
    },
    /// A port that was asked for is taken.
    #[error(
        "port {port} for {server} is taken on 127.0.0.1: free it, choose another, or leave the choice to holdbook"
    )]
    PortTaken {
        /// Which server.
        server: &'static str,
        /// The port.
        port: u16,
    },
    /// No free port was found.
    #[error("no free port for {server} on 127.0.0.1 after {tries} tries")]
    NoFreePort {
        /// Which server.
        server: &'static str,
        /// How many were tried.
        tries: u32,
    },
    /// The server ended by itself.
    #[error("{server} ended ({status}); the end of its log {}:\n{tail}", log.display())]
    Died {
        /// Which server.
        server: &'static str,
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The server runs but does not answer.
    #[error("{server} was not ready within {limit:?}; the end of its log {}:\n{tail}", log.display())]
    NotReady {
        /// Which server.
        server: &'static str,
        /// How long was waited.
        limit: Duration,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A server, ours or one left by a crash, did not end.
    #[error("{server} (process {pid}) did not end within {limit:?}")]
    NotStopped {
        /// Which server.
        server: &'static str,
        /// Its process.
        pid: u32,
        /// How long was waited.
        limit: Duration,
    },
    /// Postgres refuses root and the machine has no user to run it as.
    #[error(
        "Postgres does not run as root, and /etc/passwd has neither `postgres` nor `nobody` to run it as"
    )]
    NoUnprivilegedUser,
    /// The operating system refused something.
    #[error("could not {what}: {source}")]
    Io {
        /// What was being done, with its path.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Postgres answered, but not as it should.
    #[error("could not {what}: {}", explain(source))]
    Postgres {
        /// What was being done.
        what: String,
        /// Postgres' answer.
        source: tokio_postgres::Error,
    },
}

impl DevError {
    /// Wraps a system error with what was being done: a verb phrase with the path.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> DevError {
        let what = what.into();
        move |source| DevError::Io { what, source }
    }
}

/// The crate's own text for an answer of the server is only "db error".
fn explain(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), ToString::to_string)
}
