//! Redis: the only room that imports the redis crate.
