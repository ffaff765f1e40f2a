//! House rules that no compiler holds: which room may import which, how long things may be, what no file may say, and that a
//! number or a name that two languages share is the same in both.
//!
//! Everything is read from the sources as they stand. A failure names the file and the line.

mod front_page;
mod hot_path;
mod imports;
mod names;
mod numbers;
mod sizes;
mod source;
mod words;
