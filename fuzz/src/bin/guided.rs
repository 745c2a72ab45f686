//! The targets under libFuzzer. Which one: `$GATEHOUSE_FUZZ_TARGET`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("GATEHOUSE_FUZZ_TARGET").expect("GATEHOUSE_FUZZ_TARGET names a target");
    fuzz::find(&name).expect("a known target")
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
