//! The program from outside.

#[cfg(test)]
mod guides;
#[cfg(test)]
mod links;
#[cfg(test)]
mod policy;
