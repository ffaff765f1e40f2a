//! The files of a private Postgres: its cluster and its password.
//!
//! Owns where they are, whose they are, making them and running Postgres' programs on them. Settings and the server's
//! life are `postgres_server`'s.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use uuid::Uuid;

use super::{
    error::DevError,
    folder::{self, Folder},
    leftover::Leftover,
    owner::Owner,
    programs::{self, PostgresPrograms},
    supervisor::{Launch, Supervised},
};

/// The server's name in errors.
pub(super) const SERVER: &str = "Postgres";

/// The cluster's superuser.
pub(super) const SUPERUSER: &str = "holdbook";

/// Postgres' fast shutdown: clients are disconnected, nothing is lost.
const STOP_SIGNAL: &str = "INT";

/// How long a graceful stop may take: the last checkpoint.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a Postgres cluster, and what it takes to work on it.
pub(super) struct Cluster {
    folder: Folder,
    programs: PostgresPrograms,
    owner: Option<Owner>,
}

impl Cluster {
    /// Takes the folder, or the one instead of it that Postgres' user can reach.
    pub fn claim(dir: &Path) -> Result<Cluster, DevError> {
        let programs = programs::postgres()?;
        let owner = Owner::for_postgres()?;
        let folder = Folder::claim(&folder::place(dir, owner.as_ref())?)?;
        Ok(Cluster {
            folder,
            programs,
            owner,
        })
    }

    /// The folder of all its files.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Makes the cluster where it is missing; answers the superuser's password.
    pub async fn make(&self) -> Result<String, DevError> {
        let password_file = self.folder.path().join("password");
        if self.data().exists() {
            return fs::read_to_string(&password_file)
                .map(|password| password.trim().to_owned())
                .map_err(DevError::io(format!("read {}", password_file.display())));
        }
        // Made beside its place and then moved, so that a crash leaves no half-made cluster there.
        let unfinished = self.folder.path().join("data.unfinished");
        let log = self.folder.path().join("initdb.log");
        let password = Uuid::new_v4().simple().to_string();
        self.make_inputs(&unfinished, &password_file, &password)
            .map_err(DevError::io(format!(
                "write to {}",
                self.folder.path().display()
            )))?;
        let mut arguments: Vec<OsString> = vec![
            "-D".into(),
            unfinished.clone().into(),
            "--pwfile".into(),
            password_file.into(),
        ];
        // The password crosses only the loopback device, and its check is dear in a client built without optimisation.
        arguments.extend(
            [
                "--auth=password",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
            ]
            .map(OsString::from),
        );
        arguments.push(format!("--username={SUPERUSER}").into());
        let running = self.launch(&self.programs.initdb, arguments, &log)?;
        if running.end().await != Some(0) {
            return Err(running.died().await);
        }
        fs::rename(&unfinished, self.data())
            .map_err(DevError::io(format!("move {}", unfinished.display())))?;
        Ok(password)
    }

    fn make_inputs(
        &self,
        unfinished: &Path,
        password_file: &Path,
        password: &str,
    ) -> io::Result<()> {
        if unfinished.exists() {
            fs::remove_dir_all(unfinished)?;
        }
        fs::DirBuilder::new().mode(0o700).create(unfinished)?;
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(password_file)?;
        writeln!(file, "{password}")?;
        if let Some(owner) = &self.owner {
            owner.give(unfinished)?;
            owner.give(password_file)?;
        }
        Ok(())
    }

    /// Starts the server; it is not ready yet.
    pub fn launch_server(
        &self,
        arguments: Vec<OsString>,
        log: &Path,
    ) -> Result<Supervised, DevError> {
        self.launch(&self.programs.postgres, arguments, log)
    }

    fn launch(
        &self,
        program: &Path,
        arguments: Vec<OsString>,
        log: &Path,
    ) -> Result<Supervised, DevError> {
        Supervised::launch(Launch {
            server: SERVER,
            program,
            arguments,
            dir: self.folder.path(),
            log,
            environment: &[],
            owner: self.owner.as_ref(),
            stop_signal: STOP_SIGNAL,
            patience: PATIENCE,
        })
    }

    /// Ends a Postgres that a crash left running on this cluster.
    pub async fn end_leftover(&self) -> Result<(), DevError> {
        let data = self.data();
        let leftover = Leftover {
            server: SERVER,
            program: "postgres",
            pid_file: &data.join("postmaster.pid"),
            data: &data,
            stop_signal: STOP_SIGNAL,
        };
        leftover.end().await
    }

    /// Postgres' own data directory, absolute.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}
