//! Policies by choice: each byte of an input decides on one part of a sentence.

/// The module that these choices give; the same for the same choices.
pub(super) fn module(choices: &[u8]) -> String {
    let mut grammar = Grammar { choices, text: "package p\n\nimport rego.v1\n\n".to_owned() };
    grammar.text.push_str("allow if r0\nallow if f1(input, 1)\nallow := x if some x in [r1, r2, r3, f2(data.d)]\n\n");
    for number in 0..6 {
        grammar.rule(number);
    }
    grammar.text
}

struct Grammar<'a> {
    choices: &'a [u8],
    text: String,
}

impl Grammar<'_> {
    /// A number below `n`; 0 once the choices are used up, which ends every sentence.
    fn below(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        usize::from(*first) % n
    }

    fn of(&mut self, words: &[&'static str]) -> &'static str {
        let position = self.below(words.len());
        words[position]
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn rule(&mut self, number: usize) {
        let head = match self.below(9) {
            0 | 1 => format!("r{number} := "),
            2 => format!("f{number}(a, b) := "),
            3 => format!("f{number}(a) := "),
            4 => format!("r{number} contains "),
            5 => format!("r{number}[\"k\"] := "),
            6 => format!("r{number}[x] := "),
            7 => format!("r{number}.k[x].m := "),
            _ => format!("f{number}({{\"k\": a}}, [b, _]) := "),
        };
        self.put(&head);
        self.term(3);
        self.put(" if {\n");
        self.body(2);
        self.put("}\n");
        if self.below(4) == 1 && head.contains(":=") && !head.contains('[') {
            self.text.truncate(self.text.trim_end().len());
            self.put(" else := ");
            self.term(1);
            self.put(" if {\n");
            self.body(1);
            self.put("}\n");
        }
        if self.below(5) == 1 && head.starts_with('r') && !head.contains(['[', '.']) && head.contains(":=") {
            self.put(&format!("default r{number} := "));
            self.put_scalar();
            self.put("\n");
        }
        self.put("\n");
    }

    fn body(&mut self, depth: usize) {
        // So that most variables have a value.
        self.put("  x := ");
        self.term(1);
        self.put("\n  some y in ");
        self.term(1);
        self.put("\n");
        for _ in 0..=self.below(3) {
            self.put("  ");
            self.statement(depth);
            self.put("\n");
        }
    }

    fn statement(&mut self, depth: usize) {
        match self.below(10) {
            0 => self.put("true"),
            1 => self.two(" == ", depth),
            2 => {
                let sign = self.of(&[" != ", " < ", " <= ", " > ", " >= ", " = ", " in "]);
                self.two(sign, depth);
            }
            3 => {
                self.put("not ");
                self.term(depth);
            }
            4 => {
                self.put("some i, v in ");
                self.term(depth);
                self.put("; v != i");
            }
            5 => {
                self.put("every k, z in ");
                self.term(depth);
                self.put(" { ");
                let inner = depth.saturating_sub(1);
                self.two(" != ", inner);
                self.put("; z != k }");
            }
            6 => {
                self.term(depth);
                self.put(" with ");
                let target = self.of(&["input", "input.a", "data.d", "data.d.n", "r1", "count", "input.attributes"]);
                self.put(target);
                self.put(" as ");
                self.term(1);
            }
            7 => {
                self.put("[q, _] = ");
                self.term(depth);
            }
            8 => {
                self.put("walk(");
                self.term(depth);
                self.put(", [w, u])");
            }
            _ => self.term(depth),
        }
    }

    fn two(&mut self, between: &str, depth: usize) {
        self.term(depth);
        self.put(between);
        self.term(depth);
    }

    fn term(&mut self, depth: usize) {
        let Some(inner) = depth.checked_sub(1) else { return self.put_scalar() };
        match self.below(16) {
            0 | 1 => self.put_scalar(),
            2 | 3 => {
                let name =
                    self.of(&["x", "y", "a", "b", "r0", "r1", "r2", "r3", "r4", "r5", "input", "data.d", "data.p.r2"]);
                self.put(name);
            }
            4 => self.list("[", "]", inner),
            5 => self.list("{", "}", inner),
            6 => {
                self.put("{");
                self.two(": ", inner);
                self.put(", \"k\": ");
                self.term(inner);
                self.put("}");
            }
            7 => {
                let sign = self.of(&[" + ", " - ", " * ", " / ", " % ", " & ", " | "]);
                self.put("(");
                self.two(sign, inner);
                self.put(")");
            }
            8 => {
                let (open, close) = if self.below(2) == 0 { ("[", "]") } else { ("{", "}") };
                self.put(open);
                self.term(inner);
                self.put(" | some e in ");
                self.term(inner);
                self.put("; ");
                self.statement(inner);
                self.put(close);
            }
            9 => {
                let name = self.of(&["input", "x", "data", "data.d", "data.p", "r2", "r3"]);
                self.put(name);
                self.put("[");
                self.term(inner);
                self.put("]");
            }
            10 => {
                let function = self.below(6);
                self.put(&format!("f{function}("));
                self.two(", ", inner);
                self.put(")");
            }
            _ => self.call(inner),
        }
    }

    fn list(&mut self, open: &str, close: &str, depth: usize) {
        self.put(open);
        self.two(", ", depth);
        self.put(close);
    }

    fn call(&mut self, depth: usize) {
        let position = self.below(256) + 256 * self.below(2);
        let (name, arguments) = BUILTINS[position % BUILTINS.len()];
        self.put(name);
        self.put("(");
        for argument in 0..arguments {
            if argument > 0 {
                self.put(", ");
            }
            self.term(depth);
        }
        self.put(")");
    }

    fn put_scalar(&mut self) {
        let position = self.below(SCALARS.len());
        self.put(SCALARS[position]);
    }
}

/// What builtins trip over.
const SCALARS: [&str; 48] = [
    "1",
    "0",
    "-1",
    "2",
    "0.5",
    "-1.5",
    "1e3",
    "1e308",
    "-1e308",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "170141183460469231731687303715884105728",
    "1e-320",
    "3600000000000",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a\"",
    "\"é\u{1f600}\"",
    "\"a,b,c\"",
    "\"%d %s %v %5.2f %x %%\"",
    "\"%[2]*.[1]*f\"",
    "\"10.0.0.0/8\"",
    "\"10.1.2.3\"",
    "\"::ffff:10.0.0.1\"",
    "\"::/0\"",
    "\"^(a|b)*$\"",
    "\"[a-z]+\"",
    "\"*.{a,b}.c**\"",
    "\"a.b.c\"",
    "\"1.2.3-x+y\"",
    "\"2024-02-29T12:00:00Z\"",
    "\"2006-01-02\"",
    "\"1h30m\"",
    "\"10Mi\"",
    "\"{\\\"a\\\": [1]}\"",
    "\"YQ==\"",
    "\"/a/0\"",
    "[]",
    "{}",
    "set()",
    "[\".\"]",
    "{\"op\": \"add\", \"path\": \"/a\", \"value\": 1}",
    "[1, 2, 3]",
    "{\"a\": 1}",
];

/// Names and numbers of arguments.
const BUILTINS: &[(&str, usize)] = &[
    ("abs", 1),
    ("array.concat", 2),
    ("array.reverse", 1),
    ("array.slice", 3),
    ("base64.decode", 1),
    ("base64.encode", 1),
    ("base64.is_valid", 1),
    ("base64url.decode", 1),
    ("base64url.encode", 1),
    ("base64url.encode_no_pad", 1),
    ("bits.and", 2),
    ("bits.lsh", 2),
    ("bits.negate", 1),
    ("bits.or", 2),
    ("bits.rsh", 2),
    ("bits.xor", 2),
    ("ceil", 1),
    ("concat", 2),
    ("contains", 2),
    ("count", 1),
    ("endswith", 2),
    ("floor", 1),
    ("format_int", 2),
    ("glob.match", 3),
    ("glob.quote_meta", 1),
    ("graph.reachable", 2),
    ("graph.reachable_paths", 2),
    ("hex.decode", 1),
    ("hex.encode", 1),
    ("indexof", 2),
    ("indexof_n", 2),
    ("intersection", 1),
    ("is_array", 1),
    ("is_boolean", 1),
    ("is_null", 1),
    ("is_number", 1),
    ("is_object", 1),
    ("is_set", 1),
    ("is_string", 1),
    ("json.filter", 2),
    ("json.is_valid", 1),
    ("json.marshal", 1),
    ("json.marshal_with_options", 2),
    ("json.patch", 2),
    ("json.remove", 2),
    ("json.unmarshal", 1),
    ("lower", 1),
    ("max", 1),
    ("min", 1),
    ("net.cidr_contains", 2),
    ("net.cidr_expand", 1),
    ("net.cidr_is_valid", 1),
    ("numbers.range", 2),
    ("numbers.range_step", 3),
    ("object.filter", 2),
    ("object.get", 3),
    ("object.keys", 1),
    ("object.remove", 2),
    ("object.subset", 2),
    ("object.union", 2),
    ("object.union_n", 1),
    ("product", 1),
    ("regex.find_all_string_submatch_n", 3),
    ("regex.find_n", 3),
    ("regex.is_valid", 1),
    ("regex.match", 2),
    ("regex.replace", 3),
    ("regex.split", 2),
    ("regex.template_match", 4),
    ("replace", 3),
    ("round", 1),
    ("semver.compare", 2),
    ("semver.is_valid", 1),
    ("sort", 1),
    ("split", 2),
    ("sprintf", 2),
    ("startswith", 2),
    ("strings.any_prefix_match", 2),
    ("strings.any_suffix_match", 2),
    ("strings.count", 2),
    ("strings.replace_n", 2),
    ("strings.reverse", 1),
    ("substring", 3),
    ("sum", 1),
    ("time.add_date", 4),
    ("time.clock", 1),
    ("time.date", 1),
    ("time.diff", 2),
    ("time.format", 1),
    ("time.parse_duration_ns", 1),
    ("time.parse_ns", 2),
    ("time.parse_rfc3339_ns", 1),
    ("time.weekday", 1),
    ("to_number", 1),
    ("trace", 1),
    ("trim", 2),
    ("trim_left", 2),
    ("trim_prefix", 2),
    ("trim_right", 2),
    ("trim_space", 1),
    ("trim_suffix", 2),
    ("type_name", 1),
    ("union", 1),
    ("units.parse", 1),
    ("units.parse_bytes", 1),
    ("upper", 1),
    ("urlquery.decode", 1),
    ("urlquery.decode_object", 1),
    ("urlquery.encode", 1),
    ("urlquery.encode_object", 1),
    ("uuid.parse", 1),
    ("walk", 1),
    ("print", 1),
    ("yaml.is_valid", 1),
    ("yaml.marshal", 1),
    ("yaml.unmarshal", 1),
    ("array.flatten", 1),
    ("crypto.hmac.equal", 2),
    ("crypto.hmac.sha256", 2),
    ("crypto.sha1", 1),
    ("crypto.sha256", 1),
    ("io.jwt.decode", 1),
    ("io.jwt.decode_verify", 2),
    ("io.jwt.verify_hs256", 2),
    ("net.cidr_contains_matches", 2),
    ("net.cidr_intersects", 2),
    ("net.cidr_merge", 1),
    ("strings.render_template", 2),
    ("strings.split_n", 3),
    ("uri.is_valid", 1),
    ("uri.parse", 1),
];
