//! Builtins of our own, put in place of the engine's for both of its machines.
//!
//! Some are faster (`glob.match`, `regex.match` keep compiled patterns per thread and use them by reference),
//! some closer to OPA (`net.cidr_contains` knows IPv4 addresses in IPv6 form), and some cannot panic or eat all
//! memory where the engine's would (`strings.count`, `object.subset`, `time.parse_ns`, `numbers.range`, …).

mod digests;
mod dispatch;
mod encoding;
mod glob;
mod globs;
mod guards;
mod jwt;
mod legacy;
mod limit;
mod net;
mod pattern_cache;
mod pure;
mod re2;
mod sprintf;
mod template;
mod text;
mod time;
mod to_number;
mod units;
mod uri;
mod urlquery;
mod x509;
mod yaml;

use anyhow::Result;
use regorus::rvm::program::Program;
use regorus::unstable::{BUILTINS, Expr, Ref, Span};
use regorus::{Engine, Value};

pub(crate) use dispatch::dispatched;
pub(crate) use glob::glob_pattern;
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
    "count", 1, guards::count, engine_count;
    "object.subset", 2, guards::object_subset, engine_object_subset;
    "time.parse_ns", 2, guards::time_parse_ns, engine_time_parse_ns;
    "replace", 3, guards::replace, engine_replace;
    "json.is_valid", 1, guards::json_is_valid, engine_json_is_valid;
    "strings.replace_n", 2, guards::strings_replace_n, engine_strings_replace_n;
    "sprintf", 2, sprintf::sprintf, engine_sprintf;
    "time.parse_duration_ns", 1, units::parse_duration_ns, engine_parse_duration_ns;
    "units.parse", 1, units::parse, engine_units_parse;
    "units.parse_bytes", 1, units::parse_bytes, engine_units_parse_bytes;
    "to_number", 1, to_number::to_number, engine_to_number;
    "indexof", 2, text::indexof, engine_indexof;
    "indexof_n", 2, text::indexof_n, engine_indexof_n;
    "time.add_date", 4, time::add_date, engine_time_add_date;
    "time.format", 1, time::format, engine_time_format;
    "base64.decode", 1, encoding::base64_decode, engine_base64_decode;
    "base64.is_valid", 1, encoding::base64_is_valid, engine_base64_is_valid;
    "base64url.decode", 1, encoding::base64url_decode, engine_base64url_decode;
    "hex.decode", 1, encoding::hex_decode, engine_hex_decode;
    "urlquery.decode", 1, urlquery::decode, engine_urlquery_decode;
    "urlquery.decode_object", 1, urlquery::decode_object, engine_urlquery_decode_object;
    "urlquery.encode", 1, urlquery::encode, engine_urlquery_encode;
    "urlquery.encode_object", 1, urlquery::encode_object, engine_urlquery_encode_object;
    "uuid.parse", 1, legacy::uuid_parse, engine_uuid_parse;
}

/// Builtins that the engine has not. The interpreter can be given them; the register machine calls them through `sprintf`.
const ADDED: &[(&str, u8, Native)] = &[
    ("all", 1, legacy::all),
    ("any", 1, legacy::any),
    ("array.flatten", 1, text::array_flatten),
    ("cast_array", 1, legacy::cast_array),
    ("cast_boolean", 1, legacy::cast_boolean),
    ("cast_null", 1, legacy::cast_null),
    ("cast_object", 1, legacy::cast_object),
    ("cast_set", 1, legacy::cast_set),
    ("cast_string", 1, legacy::cast_string),
    ("crypto.hmac.equal", 2, digests::hmac_equal),
    ("crypto.hmac.sha1", 2, digests::hmac_sha1),
    ("crypto.hmac.sha256", 2, digests::hmac_sha256),
    ("crypto.hmac.sha512", 2, digests::hmac_sha512),
    ("crypto.sha1", 1, digests::sha1),
    ("crypto.sha256", 1, digests::sha256),
    ("crypto.x509.parse_certificate_request", 1, x509::parse_certificate_request),
    ("crypto.x509.parse_certificates", 1, x509::parse_certificates),
    ("internal.template_string", 1, sprintf::template_string),
    ("http.send", 1, crate::http_send::call),
    ("io.jwt.decode", 1, jwt::jwt_decode),
    ("io.jwt.decode_verify", 2, jwt::jwt_decode_verify),
    ("io.jwt.encode_sign", 3, jwt::jwt_encode_sign),
    ("io.jwt.encode_sign_raw", 3, jwt::jwt_encode_sign_raw),
    ("io.jwt.verify_eddsa", 2, jwt::verify_eddsa),
    ("io.jwt.verify_es256", 2, jwt::verify_es256),
    ("io.jwt.verify_es384", 2, jwt::verify_es384),
    ("io.jwt.verify_es512", 2, jwt::verify_es512),
    ("io.jwt.verify_hs256", 2, jwt::verify_hs256),
    ("io.jwt.verify_hs384", 2, jwt::verify_hs384),
    ("io.jwt.verify_hs512", 2, jwt::verify_hs512),
    ("io.jwt.verify_ps256", 2, jwt::verify_ps256),
    ("io.jwt.verify_ps384", 2, jwt::verify_ps384),
    ("io.jwt.verify_ps512", 2, jwt::verify_ps512),
    ("io.jwt.verify_rs256", 2, jwt::verify_rs256),
    ("io.jwt.verify_rs384", 2, jwt::verify_rs384),
    ("io.jwt.verify_rs512", 2, jwt::verify_rs512),
    ("net.cidr_contains_matches", 2, net::cidr_contains_matches),
    ("net.cidr_intersects", 2, net::cidr_intersects),
    ("net.cidr_merge", 1, net::cidr_merge),
    ("net.cidr_overlap", 2, net::cidr_contains),
    ("opa.runtime", 0, legacy::opa_runtime),
    ("re_match", 2, legacy::re_match),
    ("regex.globs_match", 2, globs::globs_match),
    ("set_diff", 2, legacy::set_diff),
    ("strings.render_template", 2, template::render_template),
    ("strings.split_n", 3, text::strings_split_n),
    ("uri.is_valid", 1, uri::is_valid),
    ("uri.parse", 1, uri::parse),
    ("yaml.is_valid", 1, yaml::is_valid),
    ("yaml.marshal", 1, yaml::marshal),
    ("yaml.unmarshal", 1, yaml::unmarshal),
];

/// True for a builtin that the engine has not.
pub(crate) fn is_added(name: &str) -> bool {
    ADDED.iter().any(|(known, ..)| *known == name)
}

/// How many arguments a builtin of ours takes.
pub(crate) fn arity(name: &str) -> Option<u8> {
    let replaced = NATIVES.iter().map(|(known, args, ..)| (*known, *args));
    let mut all = replaced.chain(ADDED.iter().map(|(known, args, _)| (*known, *args)));
    all.find(|(known, _)| *known == name).map(|(_, args)| args)
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

/// What becomes of a call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// It is undefined, as with the engine's own builtins.
    Undefined,
    /// It ends the evaluation: OPA's strict mode.
    Error,
}

/// Puts our builtins into an interpreter.
pub(crate) fn install_in_engine(engine: &mut Engine, on_failure: OnFailure) -> Result<()> {
    let replaced = NATIVES.iter().map(|(name, args, native, _)| (*name, *args, *native));
    for (name, args, native) in replaced.chain(ADDED.iter().copied()) {
        let call = move |args: Vec<Value>| match native(&args) {
            Err(error) if on_failure == OnFailure::Error => Err(error),
            result => Ok(result.unwrap_or(Value::Undefined)),
        };
        engine.add_extension(name.to_owned(), args, Box::new(call))?;
    }
    Ok(())
}

/// Nanoseconds of a duration such as `1.5s`.
pub(crate) fn duration_ns(value: &Value) -> Result<i64> {
    units::parse_duration_ns(std::slice::from_ref(value))?.as_i64()
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
