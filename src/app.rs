//! Wiring: start and shutdown order; the only place that knows every room.
