//! Compiles entry points, each for the machine that serves it.

use std::sync::Arc;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::Program;
use regorus::{Engine, Value};

use crate::analysis::Reach;
use crate::builtins::{OnFailure, install_in_engine, install_in_program};
use crate::engine::recursion;
use crate::load::Sources;

/// An entry point, ready to be evaluated.
pub(crate) enum Compiled {
    /// For the register machine.
    Rvm {
        /// The program; each thread makes a copy.
        program: Arc<Program>,
        /// The base documents.
        data: Value,
    },
    /// For the interpreter.
    Interpreter {
        /// Holds modules and data; each thread makes a clone.
        engine: Box<Engine>,
        /// The rule to evaluate.
        rule: String,
    },
}

/// Adds a module that does nothing but look one thing up, so that rules, packages and documents all become one rule, and
/// compiles it. Gives the reason when the interpreter has to serve it.
pub(crate) fn compile(sources: &Sources, lookup: &str, reach: &Reach) -> Result<(Compiled, Option<String>), String> {
    let module = format!("package gatehouse_entry\n\n{lookup}\n");
    let with_entry = |engine: &Engine| {
        let mut engine = engine.clone();
        engine.add_policy("entry point".to_owned(), module.clone()).map_err(|e| e.to_string())?;
        Ok::<_, String>(engine)
    };
    let blocker = reach.rvm_blockers.first().cloned();
    let reason = match blocker {
        Some(blocker) => blocker,
        None => match for_rvm(&mut with_entry(sources.for_machine.as_ref().unwrap_or(&sources.engine))?, &sources.data)
        {
            Ok(compiled) => return Ok((compiled, None)),
            // The interpreter would overflow its stack as well.
            Err(Refusal::Recursive(what)) => return Err(format!("recursive rules are not allowed: {what}")),
            Err(Refusal::Unsupported(reason)) => reason,
        },
    };
    let mut engine = with_entry(&sources.engine)?;
    install_in_engine(&mut engine, OnFailure::Undefined).map_err(|e| e.to_string())?;
    // Compiles lazily: the first evaluation would pay, so it happens here, without input.
    engine.set_input(Value::new_object());
    engine.compile_with_entrypoint(&Arc::from(RULE)).map_err(|e| last_line(&e.to_string()))?;
    Ok((Compiled::Interpreter { engine: Box::new(engine), rule: RULE.to_owned() }, Some(reason)))
}

/// Why the register machine does not serve an entry point.
enum Refusal {
    /// It cannot.
    Unsupported(String),
    /// No machine may.
    Recursive(String),
}

fn for_rvm(engine: &mut Engine, data: &Value) -> Result<Compiled, Refusal> {
    let message = |e: &dyn std::fmt::Display| Refusal::Unsupported(last_line(&e.to_string()));
    let policy = engine.compile_with_entrypoint(&Arc::from(RULE)).map_err(|e| message(&e))?;
    let compiled = Compiler::compile_from_policy(&policy, &[RULE]).map_err(|e| message(&e))?;
    let mut program = Arc::unwrap_or_clone(compiled);
    program.validate_limits().map_err(Refusal::Unsupported)?;
    if program.needs_runtime_recursion_check {
        return Err(Refusal::Unsupported("rules are looked up at run time".to_owned()));
    }
    if let Some(what) = recursion::find(&program) {
        return Err(Refusal::Recursive(what));
    }
    if program.resolved_builtins.len() != program.builtin_info_table.len() {
        program.initialize_resolved_builtins().map_err(|e| message(&e))?;
    }
    install_in_program(&mut program);
    // The machine refuses data that lies where a rule is: found here rather than with the first request.
    let mut machine = regorus::rvm::vm::RegoVM::new();
    let program = Arc::new(program);
    machine.load_program(Arc::clone(&program));
    machine.set_data(data.clone()).map_err(|e| message(&e))?;
    Ok(Compiled::Rvm { program, data: data.clone() })
}

fn last_line(text: &str) -> String {
    text.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or(text).to_owned()
}

const RULE: &str = "data.gatehouse_entry.decision";
