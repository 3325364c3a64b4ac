//! The name that was probably meant.

/// The nearest of `candidates` by edit distance, case aside; `None` when nothing is near enough.
pub fn nearest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Longer names have no near twin worth the time.
    if name.len() > 64 {
        return None;
    }
    let wanted = name.to_lowercase();
    let reach = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 80)
        .map(|candidate| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", or what else can be done.
pub fn suggestion<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>, otherwise: &str) -> String {
    match nearest(name, candidates) {
        Some(found) => format!("did you mean `{found}`?"),
        None => otherwise.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_pair_of_letters_is_one_step() {
        assert_eq!(nearest("mial", ["name", "mail", "manager"]), Some("mail"));
    }

    #[test]
    fn case_does_not_count() {
        assert_eq!(nearest("DISPLAYNAME", ["displayName"]), Some("displayName"));
    }

    #[test]
    fn something_else_altogether_is_not_suggested() {
        assert_eq!(nearest("shoe_size", ["mail", "name"]), None);
    }
}
