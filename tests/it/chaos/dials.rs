//! What can be turned in a running Redis: its wall clock and its disk, by a library of ours that is loaded into it.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/chaos/dials.c");

// Places in the shared file, as `dials.c` has them.
const CLOCK: u64 = 0;
const DISK: u64 = 8;
const DELAYED: u64 = 16;
const LENGTH: u64 = 24;

/// Makes the library, in this folder.
pub fn library(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    let library = folder.join("dials.so");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([library.as_os_str(), SOURCE.as_ref(), "-ldl".as_ref()])
        .output()
        .expect("cc is there, as cargo needs it");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    library
}

/// Of one server, over its restarts.
pub struct Dials {
    library: PathBuf,
    path: PathBuf,
    shared: File,
}

impl Dials {
    pub fn at_rest(library: &Path, folder: &Path) -> Self {
        let path = folder.join("dials");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path);
        let shared = file.expect("a file");
        shared.set_len(LENGTH).expect("its length");
        Self {
            library: library.to_owned(),
            path,
            shared,
        }
    }

    /// What a server must be started with.
    pub fn environment(&self) -> Vec<(String, OsString)> {
        vec![
            ("LD_PRELOAD".into(), self.library.clone().into()),
            ("CHAOS_DIALS".into(), self.path.clone().into()),
        ]
    }

    /// How far its clock is from ours; negative: behind.
    pub fn turn_clock(&self, seconds: i64) {
        self.write(CLOCK, seconds * 1_000_000);
    }

    /// What every write to the disk takes longer.
    pub fn slow_disk(&self, by: Duration) {
        self.write(DISK, by.as_micros() as i64);
    }

    /// How many writes to the disk took longer.
    pub fn delayed(&self) -> i64 {
        let mut bytes = [0; 8];
        let read = self.shared.read_exact_at(&mut bytes, DELAYED);
        read.expect("the file is there");
        i64::from_ne_bytes(bytes)
    }

    fn write(&self, place: u64, value: i64) {
        let written = self.shared.write_all_at(&value.to_ne_bytes(), place);
        written.expect("the file is there");
    }
}
