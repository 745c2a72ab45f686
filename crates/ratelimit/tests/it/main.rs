//! `tests/cases/rls/*.yaml`: descriptor files, what is asked of them and what is answered.

#[cfg(test)]
mod cases;
