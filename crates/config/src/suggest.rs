//! "Did you mean …": the nearest known word.

/// The candidate that differs from `word` by at most a third of its letters (at least one, at most three).
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_WORD {
        return None;
    }
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|c| c.len() <= MAX_WORD)
        .map(|c| (distance(&normal(word), &normal(c)), c))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

const MAX_WORD: usize = 64;

/// `rateLimit`, `rate-limit` and `rate_limit` are the same word.
fn normal(word: &str) -> Vec<char> {
    word.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

/// Letters to insert, delete, replace or swap with the next (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        let mut previous_b = None;
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&row, j) + usize::from(x != y);
            let mut best = replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if previous_a == Some(y) && previous_b == Some(x) && j > 0 {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
            previous_b = Some(y);
        }
        before = std::mem::replace(&mut row, next);
        previous_a = Some(x);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["authenticate", "authorize", "limit", "rates"];
        assert_eq!(nearest("authenicate", known), Some("authenticate"));
        assert_eq!(nearest("autorize", known), Some("authorize"));
        assert_eq!(nearest("authorise", known), Some("authorize"));
        assert_eq!(nearest("limti", known), Some("limit"));
        assert_eq!(nearest("Limit", known), Some("limit"));
        assert_eq!(nearest("shield", known), None);
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest(&"a".repeat(1 << 20), known), None);
    }
}
