//! The folders that the private servers keep their data in.
//!
//! Owns where a folder is, whose it is and that one process at a time works in it. The servers own what is inside.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
};

use super::{
    error::DevError,
    owner::{Owner, user_id},
};

/// Marks a folder as Holdbook's, is locked while a process works in it, and names that process.
const MARKER: &str = "holdbook.lock";

/// Passable for the user that Postgres runs as, readable only for its maker.
const FOLDER_MODE: u32 = 0o711;

/// A folder that this process alone works in, until dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The lock lasts as long as the file is open.
    _lock: File,
}

impl Folder {
    /// Takes the folder, making it where it is missing. Refuses one that is not ours or that a live process works in.
    pub fn claim(path: &Path) -> Result<Folder, DevError> {
        let path = make(path)?;
        let reading = || DevError::io(format!("read the folder {}", path.display()));
        let marker = path.join(MARKER);
        if !marker.exists() && fs::read_dir(&path).map_err(reading())?.next().is_some() {
            return Err(DevError::FolderForeign {
                folder: path,
                marker: MARKER,
            });
        }
        let writing = || DevError::io(format!("write {}", marker.display()));
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&marker)
            .map_err(writing())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                lock.read_to_string(&mut pid).map_err(reading())?;
                return Err(DevError::FolderInUse {
                    folder: path,
                    pid: pid.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(writing()(error)),
        }
        let write_pid = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", process::id())
        };
        write_pid(&mut lock).map_err(writing())?;
        Ok(Folder { path, _lock: lock })
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes all that is in it but the marker.
    pub fn clear(&self) -> Result<(), DevError> {
        let remove = || -> io::Result<()> {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_name() == MARKER {
                    continue;
                }
                // The type of the entry itself: a link is removed, what it points to is not touched.
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        remove().map_err(DevError::io(format!(
            "empty the folder {}",
            self.path.display()
        )))
    }
}

/// Where a data folder really goes: the wanted path, or, when the user that Postgres must run as cannot reach it
/// (root's home, say), a folder under `/var/tmp` that depends on nothing but the wanted path.
pub(super) fn place(wanted: &Path, owner: Option<&Owner>) -> Result<PathBuf, DevError> {
    let wanted = make(wanted)?;
    let Some(owner) = owner else {
        return Ok(wanted);
    };
    let checking = |path: &Path| DevError::io(format!("check who can reach {}", path.display()));
    if owner.reaches(&wanted).map_err(checking(&wanted))? {
        return Ok(wanted);
    }
    // Only an empty one goes.
    let _ = fs::remove_dir(&wanted);
    let instead = Path::new("/var/tmp").join(format!("holdbook-{:016x}", fingerprint(&wanted)));
    make(&instead)?;
    // Anyone may write to /var/tmp, so a folder that was there before must be proven to be ours.
    let entry = fs::symlink_metadata(&instead).map_err(checking(&instead))?;
    if !entry.is_dir() || entry.uid() != user_id()? {
        return Err(DevError::FolderForeign {
            folder: instead,
            marker: MARKER,
        });
    }
    Ok(instead)
}

/// Makes the folder and its parents where they are missing; what exists keeps its mode. Answers where it really is:
/// servers tell their folder without links and dots, and are recognised by it.
fn make(path: &Path) -> Result<PathBuf, DevError> {
    let make = || -> io::Result<PathBuf> {
        if !path.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(FOLDER_MODE)
                .create(path)?;
            // The umask may have taken bits away.
            fs::set_permissions(path, fs::Permissions::from_mode(FOLDER_MODE))?;
        }
        path.canonicalize()
    };
    make().map_err(DevError::io(format!("make the folder {}", path.display())))
}

/// FNV-1a: the standard library's hasher may change between its releases, and the folder must be found again.
fn fingerprint(path: &Path) -> u64 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        // The published test vector.
        assert_eq!(fingerprint(Path::new("foobar")), 0x8594_4171_f739_67e8);
    }
}
