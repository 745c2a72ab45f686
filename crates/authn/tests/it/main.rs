//! Issuers whose keys come from servers and files that behave, and that don't.

#[cfg(test)]
mod credentials;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod reload;
