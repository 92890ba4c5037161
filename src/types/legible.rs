/// A line that another program wrote, fit for a log or an operator's terminal: control characters are shown as escapes, and
/// what is longer than `longest` characters is cut.
pub fn legible(line: &str, longest: usize) -> String {
    let mut text = String::new();
    for (place, letter) in line.chars().enumerate() {
        match letter {
            _ if place >= longest => return text + "…",
            letter if letter.is_control() => text.extend(letter.escape_default()),
            letter => text.push(letter),
        }
    }
    text
}
