//! One thread's machine for one entry point.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use regorus::rvm::vm::{RegoVM, VmError};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, Value};

use crate::builtins::{clear_limit, limit_was_hit};
use crate::engine::{Compiled, copy};

/// How many units of work pass between two looks at the clock.
const TIMER_INTERVAL: NonZeroU32 = match NonZeroU32::new(16) {
    Some(interval) => interval,
    None => NonZeroU32::MIN,
};

/// What one evaluation may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Time.
    pub(crate) time: Duration,
    /// Instructions, where the machine counts them.
    pub(crate) instructions: usize,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The deadline had passed before it began.
    TooLate,
    /// The policy failed.
    Error(String),
    /// The machine panicked; it must not be used again.
    Panic,
    /// Time, instructions or a builtin's size limit ran out; the machine must not be used again.
    Limit(String),
}

/// A machine. Never shared between threads.
pub(crate) enum Machine {
    Rvm(Box<RegoVM>),
    Interpreter { engine: Box<Engine>, rule: String },
}

impl Machine {
    /// A fresh machine.
    pub(crate) fn new(compiled: &Compiled) -> Result<Self, Failure> {
        match compiled {
            Compiled::Rvm { program, data } => {
                let mut vm = RegoVM::new();
                vm.load_program(copy::program(program));
                vm.set_strict_builtin_errors(false);
                vm.set_data(copy::data(data)).map_err(|e| Failure::Error(e.to_string()))?;
                Ok(Self::Rvm(Box::new(vm)))
            }
            Compiled::Interpreter { engine, rule } => {
                Ok(Self::Interpreter { engine: engine.clone(), rule: rule.clone() })
            }
        }
    }

    /// Evaluates the entry point with `input`.
    pub(crate) fn run(&mut self, input: Value, limits: Limits) -> Result<Value, Failure> {
        clear_limit();
        let started = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| match self {
            Self::Rvm(vm) => run_rvm(vm, input, limits),
            Self::Interpreter { engine, rule } => run_interpreter(engine, rule, input, limits),
        }))
        .unwrap_or(Err(Failure::Panic));
        if result == Err(Failure::Panic) {
            return result;
        }
        // The engine may swallow a limit on its way out of a function, and `not` may even make a yes of it.
        if limit_was_hit() {
            return Err(Failure::Limit("a builtin ran into its size limit".to_owned()));
        }
        if started.elapsed() > limits.time {
            return Err(Failure::Limit(format!("took longer than {:?}", limits.time)));
        }
        result
    }
}

fn run_rvm(vm: &mut RegoVM, input: Value, limits: Limits) -> Result<Value, Failure> {
    vm.set_max_instructions(limits.instructions);
    vm.set_execution_timer_config(Some(ExecutionTimerConfig { limit: limits.time, check_interval: TIMER_INTERVAL }));
    vm.set_input(input);
    vm.execute_entry_point_by_index(0).map_err(|error| {
        let is_limit = matches!(
            error,
            VmError::InstructionLimitExceeded { .. }
                | VmError::TimeLimitExceeded { .. }
                | VmError::MemoryLimitExceeded { .. }
                | VmError::MemoryBudgetExceeded { .. }
                | VmError::RegexSizeLimitExceeded { .. }
        );
        failure(is_limit, &error.to_string())
    })
}

fn run_interpreter(engine: &mut Engine, rule: &str, input: Value, limits: Limits) -> Result<Value, Failure> {
    engine.set_execution_timer_config(ExecutionTimerConfig { limit: limits.time, check_interval: TIMER_INTERVAL });
    engine.set_input(input);
    let result = engine.eval_rule(rule.to_owned());
    // Printed text may hold parts of the request: it is dropped, not written anywhere.
    drop(engine.take_prints());
    result.map_err(|error| failure(error.downcast_ref::<LimitError>().is_some(), &error.to_string()))
}

fn failure(is_limit: bool, text: &str) -> Failure {
    let short: String = message(text).chars().take(200).collect();
    if is_limit { Failure::Limit(short) } else { Failure::Error(short) }
}

/// What the engine says, without the values that it names: they may come from the request, and may have lines of their own.
fn message(text: &str) -> String {
    // The register machine says "Cannot add 1 and {} (pc=3)".
    if let Some(verb) = text.strip_prefix("Cannot ").and_then(|rest| rest.split(' ').next()) {
        return format!("cannot {verb} such values");
    }
    // The interpreter draws a picture of the source first; what it says is in the last line, a value at its end.
    let text = text.split_once(" Got `").map_or(text, |(before, _)| before);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or(text);
    line.split_once(" (").map_or(line, |(before, _)| before).to_owned()
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn messages_name_no_values() {
        for (text, said) in [
            ("Cannot add Object({\"a\": \"(b)\\n\"}) and Number(1) (pc=7)", "cannot add such values"),
            (
                "Register 3 does not contain an array (value=String(\"x\"), pc=1)",
                "Register 3 does not contain an array",
            ),
            ("modulo on floating-point number (left=1.5, right=1, pc=2)", "modulo on floating-point number"),
            (
                "--> a.rego:3:1\n  |\n3 | x\n  | ^\nerror: `add` expects numeric argument. Got `{\"a\":\n \"secret\"}` instead\n",
                "error: `add` expects numeric argument.",
            ),
        ] {
            assert_eq!(message(text), said);
        }
    }
}
