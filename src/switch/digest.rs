use std::fmt::Write;

use sha2::{Digest, Sha256};

/// SHA-256 over the parts, one behind the other, in hexadecimal.
pub fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Of several plans: the digest of their digests, each with a newline. Of one: its own.
pub fn joint_digest<'a>(digests: impl Iterator<Item = &'a str>) -> String {
    let digests: Vec<&str> = digests.collect();
    match digests.as_slice() {
        [one] => (*one).to_owned(),
        many => digest(&[many.iter().map(|one| format!("{one}\n")).collect::<String>().as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_sha256sum_says() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(&[b"a", b"bc"]), abc);
        assert_eq!(joint_digest([abc].into_iter()), abc);
        // printf 'a\nb\n' | sha256sum
        assert_eq!(
            joint_digest(["a", "b"].into_iter()),
            "911169ddaaf146aff539f58c26c489af3b892dff0fe283c1c264c65ae5aa59a2"
        );
    }
}
