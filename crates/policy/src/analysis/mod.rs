//! What rules can reach, learned from their syntax trees before anything runs.
//!
//! Three questions are answered for each entry point: can it recurse (the engine would overflow its stack and
//! take the process down), which parts of `input` and which builtins can it reach, and does it use a form that
//! the register machine evaluates differently from OPA. Every answer errs on the safe side: a reference that
//! cannot be followed counts as a reference to everything it might mean.

mod comprehension;
mod facts;
mod graph;
mod paths;
mod refs;
mod scope;
mod undefined;
mod walk;

pub(crate) use facts::{RuleFacts, collect, head_ref};
pub(crate) use graph::{Graph, Reach};
pub(crate) use paths::InputPaths;
pub(crate) use refs::{package_of, parse as parse_reference, root_names};
