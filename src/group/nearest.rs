/// The candidate that `word` is most likely a misspelling of. `None` if none is close: about one
/// edit in three letters, and always one edit or a swap of two letters. Letter case costs nothing.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            // A distance as long as the word itself is another word, not a misspelling.
            *distance <= limit && *distance < candidate.chars().count()
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_finds_its_word_and_another_word_does_not() {
        let keys = ["address", "remote-as", "role", "role-strict", "port"];
        assert_eq!(nearest("adress", keys), Some("address"));
        assert_eq!(nearest("remote_as", keys), Some("remote-as"));
        assert_eq!(nearest("Port", keys), Some("port"));
        assert_eq!(nearest("rloe", keys), Some("role"));
        assert_eq!(nearest("weather", keys), None);
        assert_eq!(nearest("x", ["a", "b"]), None);
        assert_eq!(nearest("", ["a"]), None);
    }
}
