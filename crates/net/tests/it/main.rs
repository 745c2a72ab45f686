//! The client against real servers on this machine: good ones, slow ones, endless ones, and ones that send it elsewhere.

#[cfg(test)]
mod exchange;
#[cfg(test)]
mod server;
