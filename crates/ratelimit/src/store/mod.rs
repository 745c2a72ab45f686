//! Where counters live.

mod memory;

use model::Timestamp;
use smallvec::SmallVec;

use crate::limit::{Charge, Charging, LimitStatus};

pub use memory::MemoryStore;

/// Counters. An implementation is shared by all workers and lives as long as the process.
pub trait Store: Send + Sync {
    /// Charges a request's limits. The answer has one status per charge, in order.
    ///
    /// # Errors
    /// [`StoreError`] when nothing was counted because the store is full or lost.
    fn charge(
        &self,
        charges: &[Charge<'_>],
        charging: Charging,
        now: Timestamp,
    ) -> Result<SmallVec<[LimitStatus; 4]>, StoreError>;

    /// How many counters there are.
    fn keys(&self) -> u64;
}

/// Why nothing was counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Every counter still matters and there is no room for another.
    #[error("the limit store is full")]
    Full,
    /// The store cannot be reached.
    #[error("the limit store is lost: {0}")]
    Lost(String),
}
