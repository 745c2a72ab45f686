//! Cuts a source into tokens, with the partner of each bracket.
//!
//! Knows just enough of Rego to tell names, texts and brackets apart. What it cannot cut is left to the engine's parser to refuse.

/// How deep brackets, template strings and their expressions may be nested.
const MAX_DEPTH: usize = 24;
/// How deep brackets and expressions of templates may be nested: the engine's parser takes twice as long for each.
const MAX_BRACKETS: usize = 12;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A number, without its sign.
    Number,
    /// A text in quotes or backticks.
    Text,
    /// `$"` or `` $` ``; its partner is the quote that ends it.
    TemplateStart,
    /// What stands between the expressions of a template, perhaps nothing.
    TemplateText,
    /// The quote that ends a template.
    TemplateEnd,
    /// An opening bracket.
    Open,
    /// A closing bracket.
    Close,
    /// One character of anything else.
    Mark,
}

/// One token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Place of its first byte.
    pub(super) from: usize,
    /// Place after its last byte.
    pub(super) to: usize,
    /// True when a line ended since the token before.
    pub(super) on_new_line: bool,
    /// The token at the other end of a bracket or template, else the token itself.
    pub(super) partner: usize,
}

/// All tokens of a source.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    pub(super) text: &'a str,
    all: Vec<Token>,
}

impl<'a> Tokens<'a> {
    /// `None` for what is no Rego, or nested too deep.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let mut cutter = Cutter { text, at: 0, line_ended: true, all: Vec::new(), open: Vec::new() };
        while cutter.step()? {}
        cutter.open.is_empty().then_some(Self { text, all: cutter.all })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Token> {
        self.all.get(at)
    }

    /// What the token says; nothing behind the last one.
    pub(super) fn says(&self, at: usize) -> &'a str {
        self.get(at).and_then(|token| self.text.get(token.from..token.to)).unwrap_or_default()
    }

    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.get(at).map(|token| token.kind)
    }

    /// The token after the one at `at`, or after the bracket or template that it opens.
    pub(super) fn after(&self, at: usize) -> usize {
        self.last_of(at) + 1
    }

    /// The token that ends what begins at `at`.
    pub(super) fn last_of(&self, at: usize) -> usize {
        self.get(at).map_or(at, |token| token.partner.max(at))
    }

    /// True when nothing stands between this token and the one before.
    pub(super) fn is_glued(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.get(before));
        before.zip(self.get(at)).is_some_and(|(before, token)| before.to == token.from)
    }

    /// True for the name behind a dot.
    pub(super) fn is_field(&self, at: usize) -> bool {
        self.is_glued(at) && at.checked_sub(1).is_some_and(|before| self.is_mark(before, '.'))
    }

    /// True for the keyword `word`: a name, but not behind a dot and not in front of one.
    pub(super) fn is_keyword(&self, at: usize, word: &str) -> bool {
        self.kind(at) == Some(Kind::Word) && self.says(at) == word && !self.is_field(at) && !self.is_root(at)
    }

    /// True for the name in front of a dot.
    pub(super) fn is_root(&self, at: usize) -> bool {
        self.is_mark(at + 1, '.') && self.is_glued(at + 1)
    }

    pub(super) fn is_mark(&self, at: usize, mark: char) -> bool {
        matches!(self.kind(at), Some(Kind::Mark | Kind::Open | Kind::Close)) && self.says(at).starts_with(mark)
    }

    pub(super) fn is_open(&self, at: usize, bracket: char) -> bool {
        self.kind(at) == Some(Kind::Open) && self.is_mark(at, bracket)
    }

    /// The places of the first tokens between `from` and `to`, brackets as one.
    pub(super) fn level(&self, from: usize, to: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(from), |at| Some(self.after(*at))).take_while(move |at| *at < to)
    }
}

/// What is open.
#[derive(Debug, Clone, Copy)]
struct Opened {
    token: usize,
    /// What closes it.
    end: u8,
    is_template: bool,
}

struct Cutter<'a> {
    text: &'a str,
    at: usize,
    line_ended: bool,
    all: Vec<Token>,
    open: Vec<Opened>,
}

impl Cutter<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// Cuts one token. `Some(false)` at the end, `None` where there is none.
    fn step(&mut self) -> Option<bool> {
        if let Some(opened) = self.open.last().copied().filter(|opened| opened.is_template) {
            return self.template_text(opened);
        }
        let Some(byte) = self.byte(self.at) else { return Some(false) };
        match byte {
            b'\n' => {
                self.line_ended = true;
                self.at += 1;
            }
            b' ' | b'\t' | b'\r' => self.at += 1,
            b'#' => self.at = self.text.get(self.at..)?.find('\n').map_or(self.text.len(), |end| self.at + end),
            b'"' => self.cut(Kind::Text, text_end(self.text, self.at)?),
            b'`' => self.cut(Kind::Text, self.text.get(self.at + 1..)?.find('`')? + self.at + 2),
            b'$' => {
                let end = self.byte(self.at + 1).filter(|byte| matches!(byte, b'"' | b'`'))?;
                self.open(Kind::TemplateStart, self.at + 2, end)?;
            }
            b'(' => self.open(Kind::Open, self.at + 1, b')')?,
            b'[' => self.open(Kind::Open, self.at + 1, b']')?,
            b'{' => self.open(Kind::Open, self.at + 1, b'}')?,
            b')' | b']' | b'}' => self.close(Kind::Close, byte)?,
            b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let length = self.text.get(self.at..)?.bytes().take_while(|b| is_word(*b)).count();
                self.cut(Kind::Word, self.at + length);
            }
            b'!'..=b'~' => self.cut(Kind::Mark, self.at + 1),
            _ => return None,
        }
        Some(true)
    }

    fn cut(&mut self, kind: Kind, to: usize) {
        let token = Token { kind, from: self.at, to, on_new_line: self.line_ended, partner: self.all.len() };
        self.all.push(token);
        self.at = to;
        self.line_ended = false;
    }

    fn open(&mut self, kind: Kind, to: usize, end: u8) -> Option<()> {
        let is_template = kind == Kind::TemplateStart;
        self.open.push(Opened { token: self.all.len(), end, is_template });
        let brackets = self.open.iter().filter(|opened| !opened.is_template).count();
        if self.open.len() > MAX_DEPTH || brackets > MAX_BRACKETS {
            return None;
        }
        self.cut(kind, to);
        Some(())
    }

    fn close(&mut self, kind: Kind, end: u8) -> Option<()> {
        let opened = self.open.pop().filter(|opened| opened.end == end)?;
        let closing = self.all.len();
        self.cut(kind, self.at + 1);
        self.all.get_mut(opened.token)?.partner = closing;
        self.all.get_mut(closing)?.partner = opened.token;
        Some(())
    }

    fn number(&mut self) {
        let mut to = self.at;
        while let Some(byte) = self.byte(to) {
            let is_sign = matches!(byte, b'+' | b'-') && matches!(self.byte(to - 1), Some(b'e' | b'E'));
            let is_point = byte == b'.' && self.byte(to + 1).is_some_and(|next| next.is_ascii_digit());
            if !(is_word(byte) || is_point || is_sign && to > self.at) {
                break;
            }
            to += 1;
        }
        self.cut(Kind::Number, to);
    }

    /// The part of a template up to its next expression or its end, and what follows it.
    fn template_text(&mut self, opened: Opened) -> Option<bool> {
        let mut to = self.at;
        loop {
            match self.byte(to)? {
                b'{' => {
                    self.cut(Kind::TemplateText, to);
                    self.open(Kind::Open, to + 1, b'}')?;
                    return Some(true);
                }
                byte if byte == opened.end => {
                    self.cut(Kind::TemplateText, to);
                    self.close(Kind::TemplateEnd, byte)?;
                    return Some(true);
                }
                b'\n' if opened.end == b'"' => return None,
                b'\\' if opened.end == b'"' || self.byte(to + 1) == Some(b'{') => to += 2,
                _ => to += 1,
            }
        }
    }
}

/// Where a text in quotes ends.
fn text_end(text: &str, from: usize) -> Option<usize> {
    let mut bytes = text.as_bytes().iter().enumerate().skip(from + 1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at + 1),
            b'\n' => return None,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    None
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
