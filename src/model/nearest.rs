//! What a mistyped name was probably meant to be.

/// The known name most like `name`, if any is like it at all.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count().max(name.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typing_mistake_finds_its_name_and_another_word_finds_nothing() {
        let known = ["listen", "public_url", "migrate"];
        assert_eq!(nearest("listne", known.into_iter()), Some("listen"));
        assert_eq!(nearest("publicurl", known.into_iter()), Some("public_url"));
        assert_eq!(nearest("telephone", known.into_iter()), None);
    }
}
