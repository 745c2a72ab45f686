//! The server with a decider of the test: what reaches the wire, whatever a caller does.

#[cfg(test)]
mod drain;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod mtls;
