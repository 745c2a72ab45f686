//! The short form: every target on its seeds and on some thousand mutations of them.

use fuzz::{Mutator, TARGETS};

#[test]
fn seeds_and_their_mutations_break_no_promise() {
    for target in &TARGETS {
        let seeds = fuzz::seeds(target).unwrap();
        for seed in &seeds {
            (target.run)(seed);
        }
        let mut mutator = Mutator::new(&seeds, 1);
        for number in 0..inputs() {
            let input = mutator.input();
            let tried = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(tried.is_ok(), "{}: input {number} broke a promise: {input:?}", target.name);
        }
    }
}

/// `FUZZ_INPUTS` for each target.
fn inputs() -> u64 {
    std::env::var("FUZZ_INPUTS").ok().and_then(|number| number.parse().ok()).unwrap_or(3000)
}
