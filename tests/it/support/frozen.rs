//! Processes of a private server that hang: stopped, with all their connections open.

use std::{fs, process::Command};

/// Stopped processes, which go on when they are thawed or this is dropped.
pub struct Frozen(Vec<u32>);

impl Frozen {
    /// Stops a process and all its children. The parent first, so that there are no more of them.
    pub fn tree(parent: u32) -> Self {
        let mut frozen = Self(Vec::new());
        frozen.stop(parent);
        for child in children(parent) {
            frozen.stop(child);
        }
        frozen
    }

    /// Stops the children whose command line has this in it.
    pub fn children(parent: u32, mark: &str) -> Self {
        let mut frozen = Self(Vec::new());
        for child in children(parent) {
            let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).contains(mark) {
                frozen.stop(child);
            }
        }
        frozen
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn stop(&mut self, process: u32) {
        self.0.push(process);
        signal("STOP", process);
        // The signal is sent, but only a process that stands still does nothing any more.
        while state(process).is_some_and(|state| !['T', 'Z', 'X'].contains(&state)) {
            std::thread::yield_now();
        }
    }
}

/// Thaws them, the parent last: it finds what became of its children.
impl Drop for Frozen {
    fn drop(&mut self) {
        for process in self.0.iter().rev() {
            signal("CONT", *process);
        }
    }
}

fn children(parent: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let listed = listed.expect("the process runs");
    listed
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

/// `T` is stopped.
fn state(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn signal(name: &str, process: u32) {
    // One that has just ended is no concern.
    let _ = Command::new("/bin/sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .output();
}
