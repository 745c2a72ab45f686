//! Kinds of values, constants of each kind, and builtins by the kinds of what they take and give.

/// What a value is, as far as builtins ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    /// A whole number near zero.
    Small,
    Text,
    Bool,
    /// Lists of numbers and of texts.
    Numbers,
    Texts,
    /// Sets of numbers and of texts.
    NumberSet,
    TextSet,
    /// An object with texts as keys and numbers as values.
    Object,
    Any,
    Pattern,
    Glob,
    Delimiters,
    Network,
    Address,
    Duration,
    Time,
    Nanoseconds,
    Size,
    Version,
    Json,
    Encoded,
    Format,
    Query,
    Pointer,
}

impl Kind {
    pub(super) const COMMON: [Self; 9] = [
        Self::Number,
        Self::Small,
        Self::Text,
        Self::Bool,
        Self::Numbers,
        Self::Texts,
        Self::NumberSet,
        Self::TextSet,
        Self::Object,
    ];

    /// What it is written from when nothing else is.
    #[rustfmt::skip]
    pub(super) const fn constants(self) -> &'static [&'static str] {
        match self {
            Self::Number => &[
                "0", "1", "-1", "2", "3", "7", "10", "0.5", "-1.5", "2.5", "3.0", "1e3", "100.25", "-0.1", "0.1", "1e21", "123456789",
                "9007199254740993", "9223372036854775807", "18446744073709551616", "1e-7", "input.n", "input.i", "input.o.a",
                "input.ns[0]", "input.deep.list[1].v",
            ],
            Self::Small => &["0", "1", "2", "3", "4", "5", "-1", "-2", "10", "input.i"],
            Self::Text => &[
                "\"\"", "\"a\"", "\"abc\"", "\"A,b,,c\"", "\"é\"", "\"日本語\"", "\" x \"", "\"a/b/c\"", "\"\\u0000\"", "\"\\\"q\\\"\"",
                "\"foo.bar.baz\"", "\"10\"", "\"-0x1f\"", "\"ǅİ\"", "`raw\\n`", "\"🎉x\"", "\"%41+b\"", "input.s", "input.t", "input.ss[1]",
                "input.deep.list[0].k",
            ],
            Self::Bool => &["true", "false", "input.b", "input.deep.flag"],
            Self::Numbers => &["[]", "[1]", "[3, 1, 2]", "[1, 1.0, -2.5]", "[0.1, 0.2]", "input.ns"],
            Self::Texts => &["[]", "[\"a\"]", "[\"b\", \"a\", \"b\"]", "[\"é\", \"\", \"x y\"]", "input.ss"],
            Self::NumberSet => &["set()", "{1}", "{3, 1, 2}", "{1, 1.0, 2.5}", "{e | some e in input.ns}"],
            Self::TextSet => &["set()", "{\"a\"}", "{\"b\", \"a\"}", "{e | some e in input.ss}"],
            Self::Object => &["{}", "{\"a\": 1}", "{\"a\": 2, \"b\": -1.5}", "{\"é\": 0, \"\": 1}", "input.o"],
            Self::Any => &["null", "[null, 1, \"a\"]", "{\"k\": [1, {2}]}", "{1: \"a\", true: 2}", "input.m", "input", "input.deep", "input.none"],
            Self::Pattern => &[
                "\"a\"", "\"^a.*c$\"", "\"[a-c]+\"", "\"(a)(b)?\"", "\"\"", "`\\d+`", "\"(?i)ABC\"", "\"\\\\p{L}\"", "\"a|b\"", "\"(\"", "\"a{2,}\"",
                "`\\bx\\b`", "`(?P<n>a)`", "\".\"", "\"x*\"",
            ],
            Self::Glob => &[
                "\"*\"", "\"**\"", "\"a*\"", "\"*.b?r.*\"", "\"{a,b}*\"", "\"[a-c]bc\"", "\"[!a]*\"", "\"a/*/c\"", "\"a/**\"", "\"\\\\*\"", "\"?\"", "\"foo.**\"",
                "\"{foo,bar}.*\"", "\"\"",
            ],
            Self::Delimiters => &["[]", "[\"/\"]", "[\".\"]", "null", "[\"/\", \".\"]"],
            Self::Network => &[
                "\"10.0.0.0/8\"", "\"10.1.0.0/16\"", "\"192.168.1.0/24\"", "\"0.0.0.0/0\"", "\"2001:db8::/32\"", "\"::/0\"", "\"10.0.0.1/32\"",
                "\"10.1.2.3/8\"", "\"::ffff:10.0.0.0/104\"", "\"10.0.0.0/33\"", "\"x\"",
            ],
            Self::Address => &["\"10.1.2.3\"", "\"192.168.1.7\"", "\"2001:db8::1\"", "\"::ffff:10.1.1.1\"", "\"10.1.0.0/24\"", "\"\"", "\"256.1.1.1\""],
            Self::Duration => &["\"1h\"", "\"1h30m\"", "\"-1.5s\"", "\"100ms\"", "\"1us\"", "\"2µs\"", "\"\"", "\"1d\"", "\"0\"", "\".5h\""],
            Self::Time => &[
                "\"2024-02-29T12:00:00Z\"", "\"2024-01-01T00:00:00.123456789+02:00\"", "\"1969-12-31T23:59:59Z\"", "\"2024-13-01T00:00:00Z\"",
                "\"2024-01-01\"",
            ],
            Self::Nanoseconds => &["0", "1709208000000000000", "1709208000123456789", "-1000000000", "1e18", "[1709208000000000000, \"UTC\"]",
                "[1709208000000000000, \"America/New_York\"]", "[1709208000000000000, \"\"]"],
            Self::Size => &[
                "\"10\"", "\"10Mi\"", "\"1.5GB\"", "\"1KiB\"", "\"2k\"", "\"3m\"", "\"1E\"", "\"1e3\"", "\"\"", "\"x\"", "\"1 KB\"", "\"0.5kib\"", "\"-1K\"",
                "\"\\\"1K\\\"\"",
            ],
            Self::Version => &["\"1.2.3\"", "\"1.2.3-alpha.1\"", "\"1.2.3+build\"", "\"v1.2.3\"", "\"1.2\"", "\"10.0.0\"", "\"1.2.3-alpha\"", "\"01.2.3\""],
            Self::Json => &["\"{\\\"a\\\": [1, 2.50, null]}\"", "\"[1e3]\"", "\"1\"", "\"{\"", "\"\\\"é\\\"\"", "\"{\\\"a\\\":1,\\\"a\\\":2}\"", "\"01\"", "\" true \"",
                "\"1.0\"", "\"12345678901234567890\"", "\"\""],
            Self::Encoded => &["\"YWJj\"", "\"YQ==\"", "\"YQ\"", "\"_-8=\"", "\"+/8=\"", "\"616263\"", "\"zz\"", "\"\"", "\"6\"", "\"YW Jj\""],
            Self::Format => &[
                "\"%d\"", "\"%v\"", "\"%s\"", "\"%5d|\"", "\"%-5s|\"", "\"%05d\"", "\"%.2f\"", "\"%x\"", "\"%q\"", "\"%T\"", "\"%t\"", "\"%e\"", "\"%g\"", "\"%v %v\"",
                "\"%%\"", "\"%\"", "\"%c\"", "\"%o %b\"", "\"%[2]v %[1]v\"", "\"%+d\"", "\"%8.3f\"", "\"none\"", "\"%U\"", "\"%X\"", "\"%*d\"", "\"%6.2v\"", "\"%#x\"",
                "\"% d\"", "\"%!\"", "\"%z\"", "\"%.3s\"", "\"%+v\"", "\"%#v\"",
            ],
            Self::Query => &["\"a=1&b=2\"", "\"a=1&a=2\"", "\"a=%20+\"", "\"a\"", "\"\"", "\"a=%zz\"", "\"a=1;b=2\"", "\"=x\""],
            Self::Pointer => &["\"a\"", "\"/a\"", "\"a/b\"", "\"deep/list/0\"", "\"\"", "[\"deep\", \"flag\"]", "\"k/0\"", "\"x~1y\""],
        }
    }
}

use Kind::{
    Address, Any, Bool, Delimiters, Duration, Encoded, Format, Glob, Json, Nanoseconds, Network, Number, NumberSet,
    Numbers, Object, Pattern, Pointer, Query, Size, Small, Text, TextSet, Texts, Time, Version,
};

/// What it gives, its name, what it takes. `Any` stands for what is put into rules and comparisons only.
#[rustfmt::skip]
pub(super) const BUILTINS: &[(Kind, &str, &[Kind])] = &[
    (Number, "abs", &[Number]), (Number, "ceil", &[Number]), (Number, "floor", &[Number]), (Number, "round", &[Number]),
    (Small, "count", &[Numbers]), (Small, "count", &[Texts]), (Small, "count", &[TextSet]), (Small, "count", &[Object]), (Small, "count", &[Text]),
    (Number, "sum", &[Numbers]), (Number, "sum", &[NumberSet]), (Number, "product", &[Numbers]), (Number, "max", &[Numbers]),
    (Number, "min", &[NumberSet]), (Text, "max", &[Texts]), (Text, "min", &[TextSet]), (Numbers, "sort", &[Numbers]), (Texts, "sort", &[TextSet]),
    (Text, "concat", &[Text, Texts]), (Text, "concat", &[Text, TextSet]), (Bool, "contains", &[Text, Text]), (Bool, "startswith", &[Text, Text]),
    (Bool, "endswith", &[Text, Text]), (Small, "indexof", &[Text, Text]), (Numbers, "indexof_n", &[Text, Text]), (Text, "lower", &[Text]),
    (Text, "upper", &[Text]), (Text, "replace", &[Text, Text, Text]), (Texts, "split", &[Text, Text]), (Text, "substring", &[Text, Small, Small]),
    (Text, "trim", &[Text, Text]), (Text, "trim_left", &[Text, Text]), (Text, "trim_right", &[Text, Text]), (Text, "trim_prefix", &[Text, Text]),
    (Text, "trim_suffix", &[Text, Text]), (Text, "trim_space", &[Text]), (Text, "strings.reverse", &[Text]), (Small, "strings.count", &[Text, Text]),
    (Bool, "strings.any_prefix_match", &[Text, Texts]), (Bool, "strings.any_suffix_match", &[TextSet, Text]), (Text, "format_int", &[Number, Small]),
    (Text, "format_int", &[Small, Small]), (Number, "to_number", &[Text]), (Number, "to_number", &[Bool]), (Text, "sprintf", &[Format, Numbers]),
    (Text, "sprintf", &[Format, Texts]), (Text, "strings.render_template", &[Text, Object]),
    (Bool, "regex.match", &[Pattern, Text]), (Texts, "regex.find_n", &[Pattern, Text, Small]),
    (Any, "regex.find_all_string_submatch_n", &[Pattern, Text, Small]), (Text, "regex.replace", &[Text, Pattern, Text]),
    (Texts, "regex.split", &[Pattern, Text]), (Bool, "regex.is_valid", &[Pattern]),
    (Bool, "glob.match", &[Glob, Delimiters, Text]), (Text, "glob.quote_meta", &[Glob]),
    (Bool, "net.cidr_contains", &[Network, Address]), (Bool, "net.cidr_contains", &[Network, Network]), (Bool, "net.cidr_intersects", &[Network, Network]),
    (Bool, "net.cidr_is_valid", &[Network]), (Any, "net.cidr_contains_matches", &[Network, Address]),
    (Number, "object.get", &[Object, Text, Number]), (TextSet, "object.keys", &[Object]), (Object, "object.remove", &[Object, Texts]),
    (Object, "object.union", &[Object, Object]), (Object, "object.filter", &[Object, TextSet]), (Bool, "object.subset", &[Object, Object]),
    (Bool, "object.subset", &[Texts, Texts]), (Bool, "object.subset", &[TextSet, TextSet]), (Any, "object.union", &[Any, Object]),
    (Numbers, "array.concat", &[Numbers, Numbers]), (Texts, "array.concat", &[Texts, Texts]), (Numbers, "array.slice", &[Numbers, Small, Small]),
    (Texts, "array.reverse", &[Texts]), (Any, "array.flatten", &[Texts]), (NumberSet, "union", &[Any]),
    (Text, "json.marshal", &[Any]), (Text, "json.marshal", &[Object]), (Text, "json.marshal", &[Numbers]), (Any, "json.unmarshal", &[Json]),
    (Bool, "json.is_valid", &[Json]), (Any, "json.filter", &[Any, Texts]), (Any, "json.remove", &[Any, TextSet]), 
    (Text, "base64.encode", &[Text]), (Text, "base64.decode", &[Encoded]), (Bool, "base64.is_valid", &[Encoded]), (Text, "base64url.encode", &[Text]),
    (Text, "base64url.encode_no_pad", &[Text]), (Text, "base64url.decode", &[Encoded]), (Text, "hex.encode", &[Text]), (Text, "hex.decode", &[Encoded]),
    (Text, "urlquery.encode", &[Text]), (Text, "urlquery.decode", &[Text]), (Any, "urlquery.decode_object", &[Query]),
    (Number, "bits.and", &[Small, Small]), (Number, "bits.or", &[Small, Small]), (Number, "bits.xor", &[Small, Small]), (Number, "bits.negate", &[Small]),
    (Number, "bits.lsh", &[Small, Small]), (Number, "bits.rsh", &[Number, Small]), (Numbers, "numbers.range", &[Small, Small]),
    (Numbers, "numbers.range_step", &[Small, Small, Small]),
    (Text, "type_name", &[Any]), (Bool, "is_number", &[Any]), (Bool, "is_string", &[Any]), (Bool, "is_array", &[Any]), (Bool, "is_set", &[Any]),
    (Bool, "is_object", &[Any]), (Bool, "is_null", &[Any]), (Bool, "is_boolean", &[Any]),
    (Number, "units.parse", &[Size]), (Number, "units.parse_bytes", &[Size]), (Small, "semver.compare", &[Version, Version]),
    (Bool, "semver.is_valid", &[Version]), (Number, "time.parse_duration_ns", &[Duration]), (Number, "time.parse_rfc3339_ns", &[Time]),
    (Numbers, "time.date", &[Nanoseconds]), (Numbers, "time.clock", &[Nanoseconds]), (Text, "time.weekday", &[Nanoseconds]),
    (Number, "time.add_date", &[Nanoseconds, Small, Small, Small]), (Text, "time.format", &[Nanoseconds]), (Any, "time.diff", &[Nanoseconds, Nanoseconds]),
    (Text, "crypto.sha256", &[Text]), (Text, "crypto.sha1", &[Text]), (Text, "crypto.hmac.sha256", &[Text, Text]),
    (Bool, "crypto.hmac.equal", &[Text, Text]), (Any, "json.patch", &[Any, Any]), (Any, "object.get", &[Any, Pointer, Small]),
    (Bool, "regex.template_match", &[Text, Text]), (Any, "graph.reachable", &[Any, Texts]), (Text, "uuid.parse", &[Text]),
];
