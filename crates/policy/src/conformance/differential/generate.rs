//! Random rules that mostly mean something.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::numbers::Numbers;
use super::table::{BUILTINS, Kind};

/// Rules around one, `u<number>`, that is asked for. They read nothing but the input and each other.
pub(super) struct Unit {
    pub(super) text: String,
}

pub(super) struct Generator {
    numbers: Numbers,
    /// Variables that have a value where the next expression stands.
    variables: Vec<(String, Kind)>,
    fresh: usize,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self { numbers: Numbers::new(seed), variables: Vec::new(), fresh: 0 }
    }

    /// The input of a round; the constants know its form.
    pub(super) fn input(&mut self) -> Json {
        let numbers = [
            json!(0),
            json!(1),
            json!(-3),
            json!(2.5),
            json!(1_000_000_000_000_000_u64),
            json!(7),
            json!(-0.25),
            json!(9_007_199_254_740_993_u64),
        ];
        let texts = ["", "a", "abc", "foo.bar", "é", "x y", "10", "a/b", "%d", "Ünï"];
        let mut number = || numbers[self.numbers.below(numbers.len())].clone();
        let (n, ns, o): (Json, Vec<Json>, Json) =
            (number(), (0..3).map(|_| number()).collect(), json!({ "a": number(), "b": number(), "z": number() }));
        let v = number();
        let mut text = || texts[self.numbers.below(texts.len())];
        let (s, t, ss, k): (&str, &str, Vec<&str>, &str) = (text(), text(), (0..3).map(|_| text()).collect(), text());
        let (i, b, flag) = (self.numbers.below(6), self.numbers.below(2) == 0, self.numbers.below(2) == 0);
        json!({
            "n": n, "i": i, "s": s, "t": t, "b": b, "ns": ns, "ss": ss, "o": o,
            "m": { "list": [1, "a", null, { "x": n }], "k": [t], "x/y": true },
            "deep": { "flag": flag, "list": [{ "k": k, "v": v }, { "k": s, "v": n }] },
        })
    }

    pub(super) fn unit(&mut self, number: usize) -> Unit {
        self.variables.clear();
        self.fresh = 0;
        let name = format!("u{number}");
        let text = match self.numbers.below(17) {
            0..=4 => format!("{name} := {}\n", self.any(3)),
            5 => self.rule_with_body(&name),
            6 => self.comprehension_rule(&name),
            7 => self.every(&name),
            8 => self.partial_set(&name),
            9 => self.partial_object(&name),
            10 => self.function(&name),
            11 => self.function_by_pattern(&name),
            12 => self.with(&name),
            13 => self.otherwise(&name),
            14 => self.unification(&name),
            15 => self.unused(&name),
            _ => self.walk(&name),
        };
        Unit { text }
    }

    fn rule_with_body(&mut self, name: &str) -> String {
        let mut body = String::new();
        for _ in 0..=self.numbers.below(3) {
            self.bind(&mut body, 2);
        }
        for _ in 0..self.numbers.below(2) {
            let _ = writeln!(body, "\t{}", self.condition(2));
        }
        let value = self.any(2);
        format!("{name} := {value} if {{\n{body}}}\n")
    }

    fn bind(&mut self, body: &mut String, depth: usize) {
        let kind = self.common();
        let value = self.expression(kind, depth);
        let variable = self.variable(kind);
        let _ = writeln!(body, "\t{variable} := {value}");
    }

    fn comprehension_rule(&mut self, name: &str) -> String {
        format!("{name} := {}\n", self.comprehension(2))
    }

    fn comprehension(&mut self, depth: usize) -> String {
        let before = self.variables.len();
        let source = self.some_in(depth);
        let condition = self.condition(depth);
        let value = self.any(depth);
        let text = match self.numbers.below(3) {
            0 => format!("[{value} | {source}; {condition}]"),
            1 => format!("{{{value} | {source}; {condition}}}"),
            // One key is only ever given once: two values for it are an error to both.
            _ => {
                self.variables.truncate(before);
                let (value, key) = (self.variable(Kind::Number), self.variable(Kind::Text));
                format!(
                    "{{{key}: {value} | some {key}, {value} in {}; {}}}",
                    self.constant(Kind::Object),
                    self.condition(depth)
                )
            }
        };
        self.variables.truncate(before);
        text
    }

    /// `some k, v in c`; the variables stay.
    fn some_in(&mut self, depth: usize) -> String {
        let (collection, item) = self.collection();
        let text = self.expression(collection, depth.saturating_sub(1));
        let key = if collection == Kind::Object { Kind::Text } else { Kind::Small };
        let is_set = matches!(collection, Kind::NumberSet | Kind::TextSet);
        if self.numbers.below(2) == 0 && !is_set {
            let (key, value) = (self.variable(key), self.variable(item));
            format!("some {key}, {value} in {text}")
        } else {
            let value = self.variable(item);
            format!("some {value} in {text}")
        }
    }

    fn collection(&mut self) -> (Kind, Kind) {
        let all = [
            (Kind::Numbers, Kind::Number),
            (Kind::Texts, Kind::Text),
            (Kind::NumberSet, Kind::Number),
            (Kind::TextSet, Kind::Text),
            (Kind::Object, Kind::Number),
        ];
        all[self.numbers.below(all.len())]
    }

    fn every(&mut self, name: &str) -> String {
        let (collection, item) = self.collection();
        let text = self.expression(collection, 1);
        let variable = self.variable(item);
        let condition = self.condition(2);
        format!(
            "default {name} := \"no\"\n\n{name} := \"yes\" if {{\n\tevery {variable} in {text} {{\n\t\t{condition}\n\t}}\n}}\n"
        )
    }

    fn partial_set(&mut self, name: &str) -> String {
        let mut text = String::new();
        for _ in 0..=self.numbers.below(2) {
            self.variables.clear();
            let source = self.some_in(2);
            let (value, condition) = (self.any(1), self.condition(1));
            let _ = write!(text, "{name} contains {value} if {{\n\t{source}\n\t{condition}\n}}\n\n");
        }
        text
    }

    fn partial_object(&mut self, name: &str) -> String {
        let object = self.expression(Kind::Object, 1);
        let (key, value) = (self.variable(Kind::Text), self.variable(Kind::Number));
        let (given, condition) = (self.expression(Kind::Number, 1), self.condition(1));
        let head = self.numbers.of(&["", ".x", "[\"y z\"]"]);
        format!("{name}{head}[{key}] := {given} if {{\n\tsome {key}, {value} in {object}\n\t{condition}\n}}\n")
    }

    fn function(&mut self, name: &str) -> String {
        let (first, second) = (self.common(), self.common());
        let arguments = (self.expression(first, 1), self.expression(second, 1));
        let (a, b) = (self.variable(first), self.variable(second));
        let (yes, condition, no) = (self.any(2), self.condition(1), self.any(1));
        let (x, y) = arguments;
        format!(
            "{name}_f({a}, {b}) := {yes} if {{\n\t{condition}\n}} else := {no}\n\n{name} := [{name}_f({x}, {y}), {name}_f({y}, {x})]\n"
        )
    }

    fn function_by_pattern(&mut self, name: &str) -> String {
        let (zero, argument) = (self.constant(Kind::Number), self.expression(Kind::Number, 1));
        let one = self.any(1);
        let variable = self.variable(Kind::Number);
        let other = self.any(1);
        format!(
            "{name}_f({zero}, _) := {one}\n\n{name}_f({variable}, [_, {{\"k\": true}}]) := {other} if {variable} != {zero}\n\n{name} := {{\"a\": {name}_f({argument}, [1, {{\"k\": true}}])}}\n"
        )
    }

    fn with(&mut self, name: &str) -> String {
        let inner = self.any(2);
        let (target, kind) = self.numbers.of(&[
            &("input.n", Kind::Number),
            &("input.s", Kind::Text),
            &("input.ns", Kind::Numbers),
            &("input.o", Kind::Object),
            &("input.o.a", Kind::Number),
            &("input.deep.flag", Kind::Bool),
            &("input.new.path", Kind::Number),
            &("input", Kind::Object),
            &("data.x", Kind::Object),
            &("count", Kind::Small),
        ]);
        let (value, more) = (self.expression(*kind, 1), self.expression(Kind::Text, 1));
        let second = if self.numbers.below(3) == 0 { format!(" with input.t as {more}") } else { String::new() };
        format!("{name}_h := {inner}\n\n{name} := x if {{\n\tx := {name}_h with {target} as {value}{second}\n}}\n")
    }

    fn otherwise(&mut self, name: &str) -> String {
        let (c1, v1) = (self.condition(2), self.any(1));
        let (c2, v2) = (self.condition(2), self.any(1));
        let default =
            if self.numbers.below(2) == 0 { format!("default {name} := \"none\"\n\n") } else { String::new() };
        format!("{default}{name} := {v1} if {{\n\t{c1}\n}} else := {v2} if {{\n\t{c2}\n}}\n")
    }

    fn unification(&mut self, name: &str) -> String {
        let (numbers, object) = (self.expression(Kind::Numbers, 2), self.expression(Kind::Object, 1));
        match self.numbers.below(4) {
            0 => format!("{name} := [a, b] if [a, b] = {numbers}\n"),
            1 => format!("{name} := [a, b] if {{\n\t[a, {{\"k\": b}}, 3] = [1, {{\"k\": {object}}}, 3]\n}}\n"),
            2 => format!("{name} := x if {{\n\t{{\"a\": x}} = {object}\n}}\n"),
            _ => format!("{name} := [[i, x] | x := {numbers}[i]]\n"),
        }
    }

    /// A body that holds as long as everything in it has a value.
    fn unused(&mut self, name: &str) -> String {
        let mut body = String::new();
        for _ in 0..=self.numbers.below(2) {
            self.bind(&mut body, 2);
        }
        let last =
            self.numbers.of(&["x0", "not x0", "not x0 == 1", "true", "x := input.n", "x := input.none", "x := [x0]"]);
        format!("default {name} := false\n\n{name} if {{\n{body}\t{last}\n}}\n")
    }

    fn walk(&mut self, name: &str) -> String {
        let value = self.any(1);
        format!("{name} := [[path, value] | walk({value}, [path, value]); not is_object(value)]\n")
    }

    /// Something that is so or not.
    fn condition(&mut self, depth: usize) -> String {
        match self.numbers.below(8) {
            0 | 1 => {
                let (sign, kind) = (self.numbers.of(&["==", "!=", "<", "<=", ">", ">="]), self.common());
                format!("{} {sign} {}", self.expression(kind, depth), self.expression(kind, depth))
            }
            2 => {
                let (sign, one, other) = (self.numbers.of(&["==", "!=", "<", ">="]), self.common(), self.common());
                format!("{} {sign} {}", self.expression(one, depth), self.expression(other, depth))
            }
            3 => {
                let (collection, item) = self.collection();
                format!("{} in {}", self.expression(item, depth), self.expression(collection, depth))
            }
            // What is nested in a negation means something else here: see known.txt.
            4 => format!("not {}", self.expression(Kind::Bool, 0)),
            5 => "true".to_owned(),
            _ => self.expression(Kind::Bool, depth),
        }
    }

    fn common(&mut self) -> Kind {
        Kind::COMMON[self.numbers.below(Kind::COMMON.len())]
    }

    fn any(&mut self, depth: usize) -> String {
        match self.numbers.below(8) {
            0 if depth > 1 => self.comprehension(depth - 1),
            1 => self.expression(Kind::Any, depth),
            2 => format!("[{}, {}]", self.any(depth.saturating_sub(1)), self.constant(Kind::Any)),
            3 if depth > 0 => {
                let (one, other) = (self.common(), self.common());
                format!("{{\"p\": {}, \"q\": {}}}", self.expression(one, depth - 1), self.expression(other, depth - 1))
            }
            _ => {
                let kind = self.common();
                self.expression(kind, depth)
            }
        }
    }

    fn expression(&mut self, kind: Kind, depth: usize) -> String {
        let variables: Vec<String> =
            self.variables.iter().filter(|(_, other)| *other == kind).map(|(name, _)| name.clone()).collect();
        if !variables.is_empty() && self.numbers.below(3) == 0 {
            return variables[self.numbers.below(variables.len())].clone();
        }
        let Some(inner) = depth.checked_sub(1) else { return self.constant(kind) };
        if self.numbers.below(4) == 0 {
            return self.constant(kind);
        }
        if self.numbers.below(3) == 0
            && let Some(text) = self.operation(kind, inner)
        {
            return text;
        }
        let all: Vec<_> = BUILTINS.iter().filter(|(gives, ..)| *gives == kind).collect();
        if all.is_empty() {
            return self.constant(kind);
        }
        let (_, name, takes) = all[self.numbers.below(all.len())];
        let arguments: Vec<String> = takes.iter().map(|kind| self.expression(*kind, inner)).collect();
        format!("{name}({})", arguments.join(", "))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only some kinds have operators")]
    fn operation(&mut self, kind: Kind, depth: usize) -> Option<String> {
        let two = |this: &mut Self, sign: &str, of: Kind| {
            format!("({} {sign} {})", this.expression(of, depth), this.expression(of, depth))
        };
        Some(match kind {
            Kind::Number => {
                let sign = self.numbers.of(&["+", "-", "*", "/", "%"]);
                two(self, sign, Kind::Number)
            }
            Kind::Small => {
                let sign = self.numbers.of(&["+", "-", "*", "%"]);
                two(self, sign, Kind::Small)
            }
            Kind::NumberSet | Kind::TextSet => {
                let sign = self.numbers.of(&["|", "&", "-"]);
                two(self, sign, kind)
            }
            Kind::Bool => {
                let (sign, kind) = (self.numbers.of(&["==", "!=", "<", "<=", ">", ">="]), self.common());
                two(self, sign, kind)
            }
            Kind::Numbers => {
                format!("[{}, {}]", self.expression(Kind::Number, depth), self.expression(Kind::Number, depth))
            }
            Kind::Texts => format!("[{}, {}]", self.expression(Kind::Text, depth), self.expression(Kind::Text, depth)),
            Kind::Object => format!(
                "{{\"k\": {}, {}: {}}}",
                self.expression(Kind::Number, depth),
                self.expression(Kind::Text, depth),
                self.expression(Kind::Number, depth)
            ),
            _ => return None,
        })
    }

    fn constant(&mut self, kind: Kind) -> String {
        self.numbers.of(kind.constants()).to_owned()
    }

    fn variable(&mut self, kind: Kind) -> String {
        let name = format!("x{}", self.fresh);
        self.fresh += 1;
        self.variables.push((name.clone(), kind));
        name
    }
}
