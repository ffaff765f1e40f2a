//! Private Redis and Postgres servers, for `holdbook dev` and the tests.
