//! Refuses sources that the parser would take too long for, before it sees them.
//!
//! The parser's time doubles with each level of nested array and object literals, so the depth is counted first.
//! The count knows strings and comments and nothing else of the language; it can only be too strict.

/// How deep `[`, `{` and `(` may be nested. At this depth the parser takes about a tenth of a second.
const MAX_NESTING: usize = 12;

/// The line (from 1) where brackets are nested too deep.
pub(crate) fn check_nesting(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut line = 1_usize;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            '#' => line += usize::from(chars.by_ref().any(|c| c == '\n')),
            '"' | '`' => line += skip_string(&mut chars, c),
            '[' | '{' | '(' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Err(format!(
                        "{line}: brackets are nested deeper than {MAX_NESTING} levels: move the value into a data file or split the expression"
                    ));
                }
            }
            ']' | '}' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Skips the rest of a string that began with `quote` and gives the number of line breaks in it.
fn skip_string(chars: &mut std::str::Chars<'_>, quote: char) -> usize {
    let mut lines = 0;
    while let Some(c) = chars.next() {
        if c == quote {
            break;
        }
        if c == '\n' {
            lines += 1;
            if quote == '"' {
                // Not a string after all; the parser will say so. Brackets count again from here.
                break;
            }
        }
        if c == '\\' && quote == '"' {
            chars.next();
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::check_nesting;

    #[test]
    fn deep_literals_are_refused_with_their_line() {
        let deep = format!("package a\n\nx := {}1{}", "[".repeat(20), "]".repeat(20));
        assert!(check_nesting(&deep).unwrap_err().starts_with("3: "));
        assert!(check_nesting("package a\nx := [[[[{\"a\": [1]}]]]]").is_ok());
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let text = format!("package a\n# {0}\nx := \"\\\"{0}\"\ny := `{0}`\n", "[".repeat(40));
        assert!(check_nesting(&text).is_ok());
    }

    #[test]
    fn a_string_cannot_hide_brackets_that_follow_it() {
        let text = format!("package a\nx := \"abc\ny := {}", "[".repeat(40));
        assert!(check_nesting(&text).is_err());
    }
}
