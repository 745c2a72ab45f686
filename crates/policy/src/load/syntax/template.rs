//! Template strings: `$"user {name}"` becomes `internal.template_string(["user ", {__gatehouse_t0 | true; __gatehouse_t0 := name}, ""])`.
//!
//! An expression stands in a comprehension, so that one without a value leaves an empty set and not an undefined whole. The text
//! comes first and `true` before each expression because the engine's parser reads what comes first in brackets twice.

use super::statement::Statements;
use super::token::{Kind, Tokens};
use super::writer::Writer;

/// The source without template strings.
pub(super) fn rewrite(text: &str) -> Option<String> {
    if !may_hold(text) {
        return None;
    }
    let tokens = Tokens::of(text)?;
    let mut writer = Writer::new(text);
    let mut raw = Vec::new();
    let mut variables = 0_usize;
    for at in 0..tokens.len() {
        let token = tokens.get(at)?;
        match token.kind {
            Kind::TemplateStart => {
                raw.push(tokens.says(at).ends_with('`'));
                writer.replace(token.from, token.to, "internal.template_string([");
            }
            Kind::TemplateText => {
                writer.replace(token.from, token.to, &literal(tokens.says(at), *raw.last()?));
            }
            Kind::TemplateEnd => {
                raw.pop();
                writer.replace(token.from, token.to, "])");
            }
            // Between the texts of a template there is nothing but its expressions.
            Kind::Open if at.checked_sub(1).and_then(|before| tokens.kind(before)) == Some(Kind::TemplateText) => {
                if !is_expression(&tokens, at + 1, token.partner) {
                    return None;
                }
                let name = format!("{VARIABLE}{variables}");
                writer.replace(token.from, token.to, &format!(", {{{name} | true; {name} := "));
                variables += 1;
            }
            Kind::Close if tokens.kind(at + 1) == Some(Kind::TemplateText) => {
                writer.copy(token.to);
                writer.insert(", ");
            }
            Kind::Word | Kind::Number | Kind::Text | Kind::Open | Kind::Close | Kind::Mark => {}
        }
    }
    writer.finish()
}

/// A first look, which knows no texts and comments.
pub(super) fn may_hold(text: &str) -> bool {
    text.contains("$\"") || text.contains("$`")
}

/// One statement, and no declaration or body.
fn is_expression(tokens: &Tokens<'_>, from: usize, to: usize) -> bool {
    let is_other = ["some", "every", "not"].iter().any(|word| tokens.is_keyword(from, word));
    let statements = Statements::plain(tokens);
    !is_other && statements.is_one(from, to)
}

/// A part of a template's text as a text of its own: with its escapes, and braces as they are.
fn literal(text: &str, is_raw: bool) -> String {
    let quote = if is_raw && !text.is_empty() { '`' } else { '"' };
    format!("{quote}{}{quote}", text.replace("\\{", "{"))
}

/// What the variables are called; numbered, for templates in templates.
const VARIABLE: &str = "__gatehouse_t";

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn texts_and_expressions_become_a_list() {
        let want = "a := internal.template_string([\"x \\\" \", {__gatehouse_t0 | true; __gatehouse_t0 := b with input as {}}, \" {\"])\n";
        assert_eq!(rewrite("a := $\"x \\\" {b with input as {}} \\{\"\n").as_deref(), Some(want));
        assert_eq!(rewrite("a := $\"\"").as_deref(), Some("a := internal.template_string([\"\"])"));
        let want = "a := internal.template_string([`\n\\ {`, {__gatehouse_t0 | true; __gatehouse_t0 := internal.template_string([\"\", \
                    {__gatehouse_t1 | true; __gatehouse_t1 := b}, \"\"])\n}, \"\"])";
        assert_eq!(rewrite("a := $`\n\\ \\{{$\"{b}\"\n}`").as_deref(), Some(want));
    }

    #[test]
    fn what_is_no_expression_stays() {
        for source in [
            "a := \"$ {b}\"",
            "a := $\"{b; c}\"",
            "a := $`{b\nc}`",
            "a := $\"{}\"",
            "a := $\"{some b in c}\"",
            "a := $\"{not b}\"",
            "a := $\"{b",
            "a := $\"{b]}\"",
            "a := $\"b\n\"",
        ] {
            assert_eq!(rewrite(source), None, "{source}");
        }
    }
}
