//! The user that Postgres runs as when Holdbook runs as root, which Postgres refuses.
//!
//! Owns finding that user and giving it files; decides nothing about folders.

use std::{
    fs, io,
    os::unix::{fs as unix_fs, fs::MetadataExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use super::error::DevError;

/// Users to run Postgres as, best first: Debian's package makes the first, every Unix has the second.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// The user to switch to, or none when this process is not root.
    pub fn for_postgres() -> Result<Option<Owner>, DevError> {
        if user_id()? != 0 {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(DevError::io("read /etc/passwd"))?;
        find(&passwd).map(Some).ok_or(DevError::NoUnprivilegedUser)
    }

    /// Makes the command run as this user.
    pub fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a file or folder to this user.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        unix_fs::chown(path, Some(self.uid), Some(self.gid))
    }

    /// Whether this user can work in the folder: asked of the kernel, by trying.
    pub fn reaches(&self, folder: &Path) -> io::Result<bool> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", r#"cd "$1" 2>/dev/null"#, "reach"])
            .arg(folder);
        command.current_dir("/").stdin(Stdio::null());
        self.apply(&mut command);
        Ok(command.status()?.success())
    }
}

/// The effective user of this process.
pub(super) fn user_id() -> Result<u32, DevError> {
    fs::metadata("/proc/self")
        .map(|entry| entry.uid())
        .map_err(DevError::io("read /proc/self"))
}

fn find(passwd: &str) -> Option<Owner> {
    CANDIDATES.iter().find_map(|name| {
        let line = passwd
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some(Owner {
            uid: ids.next()?.ok()?,
            gid: ids.next()?.ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: &str =
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/nonexistent:/bin/false\n";

    #[test]
    fn postgres_is_preferred_to_nobody() {
        let passwd = format!("{NOBODY}postgres:x:101:104::/var/lib/postgresql:/bin/bash\n");
        assert_eq!(find(&passwd), Some(Owner { uid: 101, gid: 104 }));
        assert_eq!(
            find(NOBODY),
            Some(Owner {
                uid: 65534,
                gid: 65533
            })
        );
    }

    #[test]
    fn a_name_must_match_whole() {
        assert_eq!(find("postgresql:x:7:7::/:/bin/sh\n"), None);
    }
}
