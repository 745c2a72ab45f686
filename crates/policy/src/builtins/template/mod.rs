//! `strings.render_template`: the part of Go's text/template that has no functions.
//!
//! Values (`.a.b`, `$x`, texts and numbers), `if`, `with`, `range`, variables and comments. Everything else is an error.

mod parse;

use std::rc::Rc;

use anyhow::{Result, bail};
use regorus::Value;

use crate::builtins::limit::over_limit;
use parse::{Node, Operand, parse};

/// The longest text that is made, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// The most nodes that are gone through.
const MAX_STEPS: usize = 1 << 20;

/// `strings.render_template(template, values)`.
pub(super) fn render_template(args: &[Value]) -> Result<Value> {
    let [Value::String(template), values @ Value::Object(_)] = args else { bail!("a template and its values") };
    let nodes = parse(template)?;
    let mut renderer = Renderer { out: String::new(), steps: 0, root: values.clone(), variables: Vec::new() };
    match renderer.run(&nodes, values) {
        Ok(()) => Ok(Value::from(renderer.out)),
        Err(Stop::TooLong) => over_limit("strings.render_template"),
        Err(Stop::Error(what)) => bail!(what),
    }
}

enum Stop {
    TooLong,
    Error(&'static str),
}

struct Renderer {
    out: String,
    steps: usize,
    /// What `$` stands for.
    root: Value,
    variables: Vec<Variable>,
}

struct Variable {
    name: Rc<str>,
    value: Value,
    /// True for a number of the template itself: only those are false when they are zero. OPA gives others as text.
    counted: bool,
}

impl Renderer {
    fn run(&mut self, nodes: &[Node], dot: &Value) -> Result<(), Stop> {
        let known = self.variables.len();
        for node in nodes {
            self.steps += 1;
            if self.out.len() > MAX_TEXT_BYTES || self.steps > MAX_STEPS {
                return Err(Stop::TooLong);
            }
            self.node(node, dot)?;
        }
        self.variables.truncate(known);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<(), Stop> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Show(operand) => {
                let value = self.value(operand, dot)?;
                self.show(&value)?;
            }
            Node::Set { name, to, is_new } => {
                let value = self.value(to, dot)?;
                let counted = self.counts(to);
                match self.variables.iter_mut().rev().find(|known| known.name == *name) {
                    Some(known) if !is_new => *known = Variable { name: Rc::clone(name), value, counted },
                    None if !is_new => return Err(Stop::Error("an unknown variable")),
                    _ => self.push(name, value, counted),
                }
            }
            Node::If { over, moves_dot, then, otherwise } => {
                let value = self.value(over, dot)?;
                if !is_true(&value, self.counts(over)) {
                    self.run(otherwise, dot)?;
                } else if *moves_dot {
                    self.run(then, &value)?;
                } else {
                    self.run(then, dot)?;
                }
            }
            Node::Range { names, over, body, otherwise } => {
                let value = self.value(over, dot)?;
                let counted = matches!(value, Value::Array(_));
                let items: Vec<(Value, Value)> = match value {
                    Value::Array(items) => (0_u64..).map(Value::from).zip(items.iter().cloned()).collect(),
                    Value::Object(fields) => {
                        fields.iter_sorted().map(|(name, value)| (name.clone(), value.clone())).collect()
                    }
                    Value::Undefined | Value::Null => Vec::new(),
                    Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Set(_) => {
                        return Err(Stop::Error("a range over what has no elements"));
                    }
                };
                if items.is_empty() {
                    return self.run(otherwise, dot);
                }
                let known = self.variables.len();
                for (key, value) in items {
                    match names.as_slice() {
                        [key_name, name] => {
                            self.push(key_name, key, counted);
                            self.push(name, value.clone(), false);
                        }
                        [name] => self.push(name, value.clone(), false),
                        _ => {}
                    }
                    self.run(body, &value)?;
                    self.variables.truncate(known);
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, name: &Rc<str>, value: Value, counted: bool) {
        self.variables.push(Variable { name: Rc::clone(name), value, counted });
    }

    fn find(&self, name: &Rc<str>) -> Option<&Variable> {
        self.variables.iter().rev().find(|known| known.name == *name)
    }

    fn counts(&self, operand: &Operand) -> bool {
        match operand {
            Operand::Literal(_) => true,
            Operand::Variable(name, path) => path.is_empty() && self.find(name).is_some_and(|known| known.counted),
            Operand::Dot(_) => false,
        }
    }

    fn value(&self, operand: &Operand, dot: &Value) -> Result<Value, Stop> {
        let (start, path) = match operand {
            Operand::Literal(value) => return Ok(value.clone()),
            Operand::Dot(path) => (dot, path),
            Operand::Variable(name, path) if name.is_empty() => (&self.root, path),
            Operand::Variable(name, path) => (&self.find(name).ok_or(Stop::Error("an unknown variable"))?.value, path),
        };
        let mut value = start.clone();
        for name in path {
            value = match &value {
                Value::Object(fields) => fields.get(&Value::from(name.as_str())).cloned().unwrap_or(Value::Undefined),
                Value::Undefined | Value::Null => Value::Undefined,
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Set(_) => {
                    return Err(Stop::Error("a name in what has none"));
                }
            };
        }
        Ok(value)
    }

    fn show(&mut self, value: &Value) -> Result<(), Stop> {
        match value {
            // As OPA spells Go's "no value".
            Value::Undefined | Value::Null => self.out.push_str("<undefined>"),
            Value::String(text) => self.out.push_str(text),
            Value::Bool(_) | Value::Number(_) => self.out.push_str(&value.to_string()),
            Value::Array(_) | Value::Set(_) | Value::Object(_) => {
                return Err(Stop::Error("only texts, numbers and booleans are rendered"));
            }
        }
        Ok(())
    }
}

/// What is empty counts as false, and zero where it is `counted`.
fn is_true(value: &Value, counted: bool) -> bool {
    match value {
        Value::Undefined | Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(_) => !counted || value.as_f64().is_ok_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Set(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
