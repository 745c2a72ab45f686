//! The two machines of regorus, and what each worker thread keeps of them.

mod compile;
mod copy;
mod machine;
mod recursion;

pub(crate) use compile::{Compiled, compile};
pub(crate) use machine::{Failure, Limits, Machine};
