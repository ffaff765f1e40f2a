//! Pure: credits, ids, events, posting.
