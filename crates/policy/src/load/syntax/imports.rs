//! Which words a module imports.

use super::statement::Statements;
use super::token::{Kind, Tokens};

/// The imports that make keywords.
#[derive(Debug, Default)]
pub(super) struct Imports {
    and: bool,
    or: bool,
    not: bool,
    /// Tokens of `import rego.v2`, first and last.
    v2: Vec<(usize, usize)>,
    is_v1: bool,
}

impl Imports {
    pub(super) fn of(tokens: &Tokens<'_>, v0: bool) -> Self {
        let mut imports = Self { is_v1: !v0, ..Self::default() };
        let mut words = Vec::new();
        for at in tokens.level(0, tokens.len()).filter(|at| tokens.is_keyword(*at, "import")) {
            let (path, last) = path(tokens, at + 1);
            match path.as_str() {
                "rego.v1" => imports.is_v1 = true,
                "rego.v2" => imports.v2.push((at, last)),
                _ => {}
            }
            words.push(path);
        }
        let has = |word: &str| words.iter().any(|path| path == word);
        let all = has("rego.v2") || has("future.keywords");
        imports.and = all || has("future.keywords.and");
        imports.or = all || has("future.keywords.or");
        imports.not = all || has("future.keywords.not");
        imports
    }

    /// What the imports mean for statements; `None` when they mean nothing, or the module is of Rego v0.
    pub(super) fn statements<'t>(&self, tokens: &'t Tokens<'t>) -> Option<Statements<'t>> {
        let is_any = self.and || self.or || self.not;
        let is_v1 = self.is_v1 || !self.v2.is_empty();
        (is_any && is_v1).then_some(Statements { tokens, and: self.and, or: self.or, not: self.not })
    }

    /// `import rego.v2` is `import rego.v1` to the engine, and nothing where that is there already.
    pub(super) fn edits(&self, tokens: &Tokens<'_>, v0: bool) -> Vec<(usize, usize, &'static str)> {
        let place = |(first, last): &(usize, usize)| Some((tokens.get(*first)?.from, tokens.get(*last)?.to));
        let places = self.v2.iter().filter_map(place).enumerate();
        let instead = |number| if v0 && !self.is_v1 && number == 0 { "import rego.v1" } else { "" };
        places.map(|(number, (from, to))| (from, to, instead(number))).collect()
    }
}

/// The path that begins at `from`, and its last token.
fn path(tokens: &Tokens<'_>, from: usize) -> (String, usize) {
    let mut last = from;
    while tokens.is_mark(last + 1, '.') && tokens.kind(last + 2) == Some(Kind::Word) && tokens.is_field(last + 2) {
        last += 2;
    }
    let says = tokens.get(from).zip(tokens.get(last)).and_then(|(first, last)| tokens.text.get(first.from..last.to));
    (says.unwrap_or_default().to_owned(), last)
}
