//! Table tests of the model.
