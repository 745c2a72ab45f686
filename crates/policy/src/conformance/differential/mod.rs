//! Random policies, asked of OPA and of both machines. Long: `cargo xtask differential rego`.
//!
//! A round is one number: it gives an input and some hundred rules without bearing on each other. OPA evaluates all of them in one
//! process; here each is compiled and evaluated alone. `tests/differential/known.txt` names what differs, with the reason.

mod generate;
mod judge;
mod known;
mod numbers;
mod oracle;
mod table;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use generate::{Generator, Unit};
use judge::{Said, ask};
use known::Known;
use oracle::Oracle;

/// Rules for one process of the oracle.
const UNITS: usize = 300;
/// Differences that are printed; there may be thousands of one kind.
const MOST_PRINTED: usize = 200;

#[test]
#[ignore = "long, and needs a program of OPA: cargo xtask differential rego"]
fn random_policies_mean_what_they_mean_to_opa() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("GATEHOUSE_SEED").unwrap_or_else(numbers::from_the_clock);
    let time = Duration::from_secs(number("GATEHOUSE_SECONDS").unwrap_or(60));
    // Asked for by its number, one round is enough.
    let rounds = if number("GATEHOUSE_SEED").is_some() { number("GATEHOUSE_ROUNDS").unwrap_or(1) } else { u64::MAX };
    // Deep recursion of the engine on some policies; workers have such stacks too.
    let run = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        let mut summary = Summary { known: Known::read(), ..Summary::default() };
        let started = Instant::now();
        let mut seed = first;
        while seed - first < rounds && (seed == first || started.elapsed() < time) {
            round(seed, &mut summary);
            seed += 1;
        }
        println!("seeds {first} to {}", seed - 1);
        summary
    });
    let summary = run.unwrap().join().unwrap();
    summary.print();
    assert_eq!(summary.differences, 0, "differences that are not in {}", Known::file().display());
}

#[derive(Default)]
struct Summary {
    known: Known,
    asked: usize,
    /// Rules that OPA does not compile, or that fail there.
    refused: usize,
    undefined: usize,
    on_the_register_machine: usize,
    differences: usize,
    /// How often each known difference came.
    met: BTreeMap<String, usize>,
}

fn round(seed: u64, summary: &mut Summary) {
    let mut generator = Generator::new(seed);
    let input = generator.input();
    let units: Vec<Unit> = (0..UNITS).map(|number| generator.unit(number)).collect();
    let said = Oracle::new(&input).ask(&units);
    for (number, unit) in units.iter().enumerate() {
        let Some(wanted) = said.get(&number) else {
            summary.refused += 1;
            continue;
        };
        summary.asked += 1;
        summary.undefined += usize::from(wanted.is_none());
        let (interpreter, machine) = ask(unit, number, &input);
        summary.on_the_register_machine += usize::from(machine.is_some());
        for (name, said) in [("interpreter", Some(interpreter)), ("register machine", machine)] {
            let Some(said) = said else { continue };
            if !said.is(wanted.as_ref()) {
                summary.differs(seed, name, unit, wanted.as_ref(), &said);
            }
        }
    }
}

impl Summary {
    fn differs(&mut self, seed: u64, machine: &str, unit: &Unit, wanted: Option<&Json>, said: &Said) {
        let wanted = wanted.map_or_else(|| "undefined".to_owned(), Json::to_string);
        if let Some(reason) = self.known.reason(&unit.text, &wanted, &said.to_string()) {
            *self.met.entry(reason).or_default() += 1;
            return;
        }
        self.differences += 1;
        if self.differences <= MOST_PRINTED {
            println!("seed {seed}, {machine}:\n{}\n  OPA:       {wanted}\n  Gatehouse: {said}\n", unit.text.trim_end());
        }
    }

    fn print(&self) {
        println!(
            "{} rules asked, {} of them undefined to OPA, {} on the register machine, too; {} that OPA refuses",
            self.asked, self.undefined, self.on_the_register_machine, self.refused
        );
        for (reason, count) in &self.met {
            println!("{count:>6} known: {reason}");
        }
        println!("{} differences", self.differences);
    }
}
