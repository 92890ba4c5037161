use std::fmt::Display;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use crate::driver::certificate;
use crate::driver::fleet::read_key;
use crate::driver::plain;

/// A directory with `ca.crt` and `ca.key`. Keys are ECDSA on P-256.
pub struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    not_after: Timestamp,
}

/// What was written.
pub struct Paths {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

impl Paths {
    fn new(directory: &Path, name: &str) -> Paths {
        let file = |kind: &str| directory.join(format!("{name}.{kind}"));
        Paths { certificate: file("crt"), key: file("key") }
    }

    /// Keys first: a certificate without its key is of no use.
    fn write(&self, certificate: &str, key: &KeyPair) -> Result<(), String> {
        for path in [&self.key, &self.certificate] {
            if path.exists() {
                return Err(format!(
                    "{} is there already and is not overwritten: move it away first",
                    path.display()
                ));
            }
        }
        write(&self.key, &key.serialize_pem(), SECRET)?;
        write(&self.certificate, certificate, PUBLIC)
    }
}

/// Makes a file that is not there.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| format!("cannot write {}: {}", path.display(), plain(&error)))
}

impl Authority {
    /// Makes one.
    pub fn init(directory: &Path, days: u16, now: Timestamp) -> Result<Paths, String> {
        let make = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        make.map_err(|error| format!("cannot make {}: {}", directory.display(), plain(&error)))?;
        let key = KeyPair::generate().map_err(unexpected)?;
        // Of two authorities it shall be seen which is which.
        let digest = Sha256::digest(key.subject_public_key_info());
        let number: String = digest.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
        let mut params = params(&format!("shunt fleet {number}"));
        limit(&mut params, now, days, Timestamp::MAX)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(unexpected)?;
        let paths = Paths::new(directory, "ca");
        paths.write(&certificate.pem(), &key)?;
        Ok(paths)
    }

    pub fn open(directory: &Path) -> Result<Authority, String> {
        let paths = Paths::new(directory, "ca");
        let at = |path: &Path, problem: String| {
            let here = "`shunt pki init DIRECTORY` makes an authority, and --directory names it";
            format!("{}: {problem}; {here}", path.display())
        };
        let certificates = certificate::read(&paths.certificate);
        let certificates = certificates.map_err(|problem| at(&paths.certificate, problem))?;
        let key = read_key(&paths.key).map_err(|problem| at(&paths.key, problem))?;
        let key = KeyPair::try_from(&key).map_err(|error| at(&paths.key, error.to_string()))?;
        let not_ours =
            || at(&paths.certificate, "it is not an authority of `shunt pki`".to_owned());
        // Behind the head of a sequence.
        let public = key.subject_public_key_info();
        let is_own = |certificate: &&CertificateDer<'_>| {
            certificate::public_key(certificate).is_some_and(|key| public.ends_with(key))
        };
        let own = certificates.iter().find(is_own).ok_or_else(|| {
            let key = paths.key.display();
            at(&paths.certificate, format!("there is none in it of the key {key}"))
        })?;
        let names = certificate::names(own).filter(|names| names.is_authority);
        let name = names.and_then(|names| names.common_name).ok_or_else(not_ours)?;
        let not_after = certificate::not_after(own).ok_or_else(not_ours)?;
        let mut params = params(&name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Authority {
            directory: directory.to_owned(),
            issuer: Issuer::new(params, key),
            not_after,
        })
    }

    /// Issues a certificate with a new key. Says for how many days as well, as it cannot be for longer than the authority's own.
    pub fn issue(
        &self,
        uri: &str,
        name: &str,
        is_server: bool,
        days: u16,
        now: Timestamp,
    ) -> Result<(Paths, u16), String> {
        let mut params = params(name);
        let days = limit(&mut params, now, days, self.not_after)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(unexpected)?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if is_server {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate().map_err(unexpected)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(unexpected)?;
        let paths = Paths::new(&self.directory, name);
        paths.write(&certificate.pem(), &key)?;
        Ok((paths, days))
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// From yesterday on, as clocks differ, and for so long, though not longer than the authority.
fn limit(
    params: &mut CertificateParams,
    now: Timestamp,
    days: u16,
    latest: Timestamp,
) -> Result<u16, String> {
    let day = |count: u16| SignedDuration::from_hours(24 * i64::from(count));
    let seconds = |time: Timestamp| time.duration_since(Timestamp::UNIX_EPOCH).unsigned_abs();
    let end = now.checked_add(day(days)).map_err(unexpected)?.min(latest);
    if end <= now {
        return Err("the authority has expired: make another one with `shunt pki init`".to_owned());
    }
    let begin = now.checked_sub(day(1)).map_err(unexpected)?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + seconds(begin), epoch + seconds(end));
    let left = end.duration_since(now).as_hours() / 24;
    Ok(u16::try_from(left).unwrap_or(days))
}

fn unexpected(error: impl Display) -> String {
    format!("no certificate can be made: {error}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::driver::fleet::{Credentials, Files, Identity};

    fn now() -> Timestamp {
        Timestamp::now()
    }

    fn credentials(directory: &Path, Paths { certificate, key }: Paths) -> Credentials {
        let ca = directory.join("ca.crt");
        Credentials::read(Files { certificate, key, ca }).unwrap()
    }

    #[test]
    fn what_is_issued_can_be_used() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("pki");
        Authority::init(&directory, 3650, now()).unwrap();
        let authority = Authority::open(&directory).unwrap();
        let uri = "shunt:node:edge1";
        let (paths, _) = authority.issue(uri, "edge1", true, 365, now()).unwrap();
        for (file, mode) in
            [("ca.crt", 0o644), ("ca.key", 0o600), ("edge1.crt", 0o644), ("edge1.key", 0o600)]
        {
            let found = fs::metadata(directory.join(file)).unwrap().mode();
            assert_eq!(found & 0o777, mode, "{file}");
        }
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        let credentials = credentials(&directory, paths);
        assert_eq!(*credentials.identity(), Identity::Node("edge1".to_owned()));
        let none: [String; 0] = [];
        assert_eq!(credentials.warnings(now()), none);
    }

    #[test]
    fn nothing_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        Authority::init(directory, 10, now()).unwrap();
        let content = || fs::read_to_string(directory.join("ca.key")).unwrap();
        let before = content();
        let text = Authority::init(directory, 10, now()).err().unwrap();
        let key = directory.join("ca.key");
        let wanted = format!(
            "{} is there already and is not overwritten: move it away first",
            key.display()
        );
        assert_eq!((text, content()), (wanted, before));
        let authority = Authority::open(directory).unwrap();
        authority.issue("shunt:reader:bob", "bob", false, 1, now()).unwrap();
        fs::remove_file(directory.join("bob.key")).unwrap();
        let again = authority.issue("shunt:reader:bob", "bob", false, 1, now());
        assert!(again.err().unwrap().contains("bob.crt is there already"));
        assert!(!directory.join("bob.key").exists());
    }

    #[test]
    fn a_certificate_ends_with_its_authority() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        Authority::init(directory, 10, now()).unwrap();
        let authority = Authority::open(directory).unwrap();
        let issued = authority.issue("shunt:reader:bob", "bob", false, 365, now()).unwrap();
        let (paths, days) = issued;
        assert_eq!(days, 9);
        let end = certificate::read(&paths.certificate).unwrap();
        assert_eq!(certificate::not_after(&end[0]), Some(authority.not_after));
        let later = now().checked_add(SignedDuration::from_hours(24 * 11)).unwrap();
        let text = authority.issue("shunt:reader:eve", "eve", false, 1, later).err().unwrap();
        assert_eq!(text, "the authority has expired: make another one with `shunt pki init`");
    }

    #[test]
    fn without_an_authority_nothing_is_issued() {
        let directory = tempfile::tempdir().unwrap();
        let problem = || Authority::open(directory.path()).err().unwrap();
        assert!(problem().contains("ca.crt: no such file or directory; `shunt pki init"));
        Authority::init(directory.path(), 10, now()).unwrap();
        let authority = Authority::open(directory.path()).unwrap();
        let (leaf, _) = authority.issue("shunt:reader:bob", "bob", false, 1, now()).unwrap();
        let ca = directory.path().join("ca");
        let own = fs::read(ca.with_extension("crt")).unwrap();
        fs::copy(&leaf.certificate, ca.with_extension("crt")).unwrap();
        assert!(problem().contains("ca.crt: there is none in it of the key "));
        fs::copy(&leaf.key, ca.with_extension("key")).unwrap();
        assert!(problem().contains("ca.crt: it is not an authority of `shunt pki`"));

        // Behind another one it is found by its key.
        let other = tempfile::tempdir().unwrap();
        let Paths { certificate, key } = Authority::init(other.path(), 10, now()).unwrap();
        let both = [own, fs::read(certificate).unwrap()].concat();
        fs::write(ca.with_extension("crt"), both).unwrap();
        fs::copy(key, ca.with_extension("key")).unwrap();
        let authority = Authority::open(directory.path()).unwrap();
        let (paths, _) = authority.issue("shunt:node:edge1", "edge1", true, 9, now()).unwrap();
        let warnings = credentials(other.path(), paths).warnings(now());
        assert!(warnings.iter().all(|warning| warning.contains(" expires on ")), "{warnings:?}");
    }
}
