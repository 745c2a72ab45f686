//! Builtins of our own, put in place of the engine's for both of its machines.
//!
//! Some are faster (`glob.match`, `regex.match` keep compiled patterns per thread and use them by reference),
//! some closer to OPA (`net.cidr_contains` knows IPv4 addresses in IPv6 form), and some cannot panic or eat all
//! memory where the engine's would (`strings.count`, `object.subset`, `time.parse_ns`, `numbers.range`, …).

mod glob;
mod guards;
mod limit;
mod net;
mod pattern_cache;
mod pure;
mod re2;

use anyhow::Result;
use regorus::rvm::program::Program;
use regorus::unstable::{BUILTINS, Expr, Ref, Span};
use regorus::{Engine, Value};

pub(crate) use limit::{clear_limit, limit_was_hit};
pub(crate) use pure::impure_among;

type Native = fn(&[Value]) -> Result<Value>;
type EngineFn = fn(&Span, &[Ref<Expr>], &[Value], bool) -> Result<Value>;

macro_rules! natives {
    ($($name:literal, $args:literal, $core:path, $engine_fn:ident;)+) => {
        $(fn $engine_fn(_: &Span, _: &[Ref<Expr>], args: &[Value], _: bool) -> Result<Value> { $core(args) })+
        /// Name, number of arguments, function, and the same in the engine's form.
        const NATIVES: &[(&str, u8, Native, EngineFn)] = &[$(($name, $args, $core, $engine_fn)),+];
    };
}

natives! {
    "glob.match", 3, glob::glob_match, engine_glob_match;
    "regex.match", 2, re2::regex_match, engine_regex_match;
    "net.cidr_contains", 2, net::cidr_contains, engine_cidr_contains;
    "net.cidr_expand", 1, guards::cidr_expand, engine_cidr_expand;
    "numbers.range", 2, guards::numbers_range, engine_numbers_range;
    "numbers.range_step", 3, guards::numbers_range_step, engine_numbers_range_step;
    "strings.count", 2, guards::strings_count, engine_strings_count;
    "object.subset", 2, guards::object_subset, engine_object_subset;
    "time.parse_ns", 2, guards::time_parse_ns, engine_time_parse_ns;
    "replace", 3, guards::replace, engine_replace;
    "strings.replace_n", 2, guards::strings_replace_n, engine_strings_replace_n;
}

/// Puts our builtins into a compiled program.
pub(crate) fn install_in_program(program: &mut Program) {
    let table = program.builtin_info_table.iter().zip(program.resolved_builtins.iter_mut());
    for (info, resolved) in table {
        if let Some((_, _, _, native)) = NATIVES.iter().find(|(name, ..)| *name == info.name) {
            resolved.0 = *native;
        }
    }
}

/// Puts our builtins into an interpreter.
pub(crate) fn install_in_engine(engine: &mut Engine) -> Result<()> {
    for (name, args, native, _) in NATIVES {
        // As with the engine's own builtins, a wrong argument makes the call undefined.
        engine.add_extension(
            (*name).to_owned(),
            *args,
            Box::new(move |args: Vec<Value>| Ok(native(&args).unwrap_or(Value::Undefined))),
        )?;
    }
    Ok(())
}

/// Calls the engine's own builtin.
fn call_engine(name: &str, args: &[Value]) -> Result<Value> {
    let Some((function, _)) = BUILTINS.get(name) else { return Ok(Value::Undefined) };
    let source = regorus::Source::from_contents("builtin".to_owned(), String::new())?;
    let span = Span { source, line: 1, col: 1, start: 0, end: 0 };
    let exprs: Vec<Ref<Expr>> =
        args.iter().map(|_| Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 })).collect();
    function(&span, &exprs, args, false)
}

#[cfg(test)]
mod tests;
