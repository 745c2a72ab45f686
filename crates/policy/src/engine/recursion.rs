//! A second look for recursion, at the compiled program: the machine has no guard of its own, and overflowing its
//! stack ends the process. The first look (`analysis`) works on the syntax tree and is the one that explains.

use regorus::rvm::Instruction;
use regorus::rvm::program::Program;

/// The name of a rule that can reach itself. A program that looks rules up at run time counts as recursive.
pub(super) fn find(program: &Program) -> Option<String> {
    let looks_up = |i: &Instruction| matches!(i, Instruction::VirtualDataDocumentLookup { .. });
    if program.instructions.iter().any(looks_up) {
        return Some("rules are looked up at run time".to_owned());
    }
    let calls: Vec<Vec<usize>> = (0..program.rule_infos.len()).map(|rule| calls_of(program, rule)).collect();
    // Rules that call nothing but finished rules are finished; what is never finished is on a cycle or leads to one.
    let mut finished = vec![false; calls.len()];
    loop {
        let mut progress = false;
        for (rule, targets) in calls.iter().enumerate() {
            let is_open = finished.get(rule) == Some(&false);
            if is_open && targets.iter().all(|t| finished.get(*t).copied().unwrap_or(false)) {
                if let Some(slot) = finished.get_mut(rule) {
                    *slot = true;
                }
                progress = true;
            }
        }
        if !progress {
            break;
        }
    }
    let open = finished.iter().position(|done| !done)?;
    program.rule_infos.get(open).map(|info| format!("{} can reach itself", info.name))
}

/// The rules that a rule's code calls. Each body and each block that takes arguments apart is one run of
/// instructions up to its end mark; jumps stay inside.
fn calls_of(program: &Program, rule: usize) -> Vec<usize> {
    let Some(info) = program.rule_infos.get(rule) else { return Vec::new() };
    let bodies = info.definitions.iter().flatten().chain(info.destructuring_blocks.iter().flatten());
    let mut calls = Vec::new();
    for start in bodies {
        let start = usize::try_from(*start).unwrap_or(usize::MAX);
        for instruction in program.instructions.iter().skip(start) {
            if let Instruction::CallRule { rule_index, .. } = instruction {
                calls.push(usize::from(*rule_index));
            }
            if let Instruction::FunctionCall { params_index } = instruction
                && let Some(params) = program.instruction_data.get_function_call_params(*params_index)
            {
                calls.push(usize::from(params.func_rule_index));
            }
            if matches!(instruction, Instruction::RuleReturn {} | Instruction::DestructuringSuccess {}) {
                break;
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use regorus::Engine;
    use regorus::languages::rego::compiler::Compiler;

    fn found(policy: &str) -> Option<String> {
        let mut engine = Engine::new();
        engine.add_policy("p.rego".to_owned(), policy.to_owned()).unwrap();
        let policy = engine.compile_with_entrypoint(&"data.p.a".into()).unwrap();
        match Compiler::compile_from_policy(&policy, &["data.p.a"]) {
            Ok(program) => super::find(&program),
            // The compiler finds some cycles itself.
            Err(error) => Some(error.to_string()),
        }
    }

    #[test]
    fn cycles_are_seen_in_compiled_programs() {
        assert_eq!(found("package p\na if f(1)\nf(x) if g(x)\ng(x) if x == 1\n"), None);
        for policy in [
            "package p\na if f(1)\nf(x) if f(x)\n",
            "package p\na if f(1)\nf(x) if g(x)\ng(x) if every y in [x] { f(y) }\n",
            "package p\na if f(1)\nf({\"k\": x}) if count([y | some y in [x]; f(y)]) == 1\nf(x) if x == 1\n",
        ] {
            assert!(found(policy).is_some(), "{policy}");
        }
    }
}
