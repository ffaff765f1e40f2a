//! Stand-in for compiling.
pub struct Stack;

impl Stack {
    pub async fn start_with_test_clock() -> Self {
        Self
    }
    pub fn channel(&self) -> tonic::transport::Channel {
        unimplemented!()
    }
    pub async fn freeze(&self, _account_id: &str) {}
    pub async fn unfreeze(&self, _account_id: &str) {}
}
