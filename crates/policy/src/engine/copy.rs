//! Copies of programs and data that share no reference counts: threads that share them slow each other down to less
//! than one thread's speed.

use std::sync::Arc;

use regorus::Value;
use regorus::rvm::program::Program;
use regorus::value::{Object, Set};

/// Data with more values than this is shared between threads after all.
const MAX_COPIED_VALUES: usize = 200_000;

/// A copy of a program.
pub(super) fn program(shared: &Program) -> Arc<Program> {
    let mut own = shared.clone();
    for literal in &mut own.literals {
        *literal = value(literal);
    }
    own.rule_tree = value(&own.rule_tree);
    for rule in &mut own.rule_infos {
        rule.definitions = Arc::new(rule.definitions.as_ref().clone());
    }
    Arc::new(own)
}

/// A copy of the base documents, unless they are large.
pub(super) fn data(shared: &Value) -> Value {
    let mut budget = MAX_COPIED_VALUES;
    if fits(shared, &mut budget) { value(shared) } else { shared.clone() }
}

fn fits(value: &Value, budget: &mut usize) -> bool {
    if *budget == 0 {
        return false;
    }
    *budget -= 1;
    match value {
        Value::Array(list) => list.iter().all(|v| fits(v, budget)),
        Value::Set(set) => set.iter().all(|v| fits(v, budget)),
        Value::Object(object) => object.iter().all(|(_, v)| fits(v, budget)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Undefined => true,
    }
}

fn value(shared: &Value) -> Value {
    match shared {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Undefined => shared.clone(),
        Value::String(text) => Value::from(text.as_ref()),
        Value::Array(list) => Value::from(list.iter().map(value).collect::<Vec<_>>()),
        Value::Set(set) => {
            let mut own = Set::new();
            for item in set.iter() {
                own.insert(value(item));
            }
            own.into_value()
        }
        Value::Object(object) => {
            let mut own = Object::new();
            for (key, item) in object.iter() {
                own.insert(value(key), value(item));
            }
            own.into_value()
        }
    }
}
