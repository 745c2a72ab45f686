//! Why an event is not where it should be, and whoever counts that.

/// Why an event was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// More decisions than the log could take in.
    QueueFull,
    /// More in a second than `max_decisions_per_second`.
    Rate,
    /// Larger than an upload, even alone.
    TooLarge,
    /// No room among what waits to be uploaded.
    SpoolFull,
    /// The rules that mask or drop failed: what must not be seen is not known.
    MaskFailed,
    /// No room among what waits, after the service had refused it.
    Rejected,
    /// What was on disk can no longer be read.
    Corrupt,
    /// Neither uploaded nor on disk when the process ended.
    Unsent,
    /// The log of the process could not take the line in; an upload is not affected.
    Console,
    /// A defect of ours.
    Defect,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::QueueFull,
        Self::Rate,
        Self::TooLarge,
        Self::SpoolFull,
        Self::MaskFailed,
        Self::Rejected,
        Self::Corrupt,
        Self::Unsent,
        Self::Console,
        Self::Defect,
    ];

    /// The code in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rate => "rate",
            Self::TooLarge => "too_large",
            Self::SpoolFull => "spool_full",
            Self::MaskFailed => "mask_failed",
            Self::Rejected => "rejected",
            Self::Corrupt => "corrupt",
            Self::Unsent => "unsent",
            Self::Console => "console",
            Self::Defect => "defect",
        }
    }
}

/// Counts what happens to events.
pub trait Observer: Send + Sync {
    /// An event was taken into the log.
    fn logged(&self);
    /// Events were lost.
    fn lost(&self, loss: Loss, events: u64);
    /// Events fit only without their `nd_builtin_cache`.
    fn cache_dropped(&self, events: u64);
    /// An upload was acknowledged, or was not.
    fn uploaded(&self, acknowledged: bool);
    /// Compressed bytes that wait to be uploaded.
    fn pending(&self, bytes: u64);
}
