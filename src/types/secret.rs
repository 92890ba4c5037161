use std::fmt;

/// A key that neighbours share: TCP-MD5 (RFC 2385), OSPF authentication. There is no way to print it: `Debug`
/// hides the content.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Linux takes no longer key for TCP-MD5 (`TCP_MD5SIG_MAXKEYLEN`), and OSPF needs none.
    pub const MAX_LENGTH: usize = 80;

    /// From the content and the permission bits of a secret's file: the first line, without the
    /// end of line. The error is a sentence that goes on after the file's name.
    pub fn from_file(content: &[u8], mode: u32) -> Result<Secret, String> {
        if mode & 0o007 != 0 {
            return Err(format!(
                "is open to every user (mode {:04o}): `chmod o-rwx` it",
                mode & 0o7777
            ));
        }
        let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.len() {
            0 => Err("has an empty first line: the key goes there".to_owned()),
            1..=Secret::MAX_LENGTH => Ok(Secret(line.into())),
            length => Err(format!(
                "has a first line of {length} bytes: a key has at most {}",
                Secret::MAX_LENGTH
            )),
        }
    }

    /// For the socket option or the digest and nothing else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_first_line() {
        let secret = Secret::from_file(b"s3cret key\r\nnot this\n", 0o100640).unwrap();
        assert_eq!(secret.expose(), b"s3cret key");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(Secret::from_file(&[b'x'; 80], 0o600).unwrap().expose().len(), 80);
    }

    #[test]
    fn a_file_that_cannot_be_a_key_says_why() {
        let refused = |content: &[u8], mode| Secret::from_file(content, mode).unwrap_err();
        assert_eq!(
            refused(b"k\n", 0o100644),
            "is open to every user (mode 0644): `chmod o-rwx` it"
        );
        assert_eq!(refused(b"\nk", 0o600), "has an empty first line: the key goes there");
        assert_eq!(
            refused(&[b'x'; 81], 0o600),
            "has a first line of 81 bytes: a key has at most 80"
        );
    }
}
