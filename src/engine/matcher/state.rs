//! placeholder
/// Version of the captured form.
pub const STATE_VERSION: u32 = 1;
#[derive(Debug)]
pub struct StateError;
