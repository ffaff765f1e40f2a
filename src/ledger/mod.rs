//! Postgres: the only room that imports tokio-postgres.
