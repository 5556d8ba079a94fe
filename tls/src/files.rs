//! A certificate and a key that somebody else looks after: read at the start, and again when they have changed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

use crate::pair::{Pair, PairError, Part};
use crate::server::Certificates;

/// A chain is some thousand bytes long; what is larger is something else.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// When it is told that a certificate ends soon. Tools renew public ones a month before.
const WARN_BEFORE_END: Duration = Duration::days(14);

/// Why the files cannot be used.
#[derive(Debug, Error)]
pub enum FilesError {
    /// Not there, or not to be read.
    #[error("cannot read the {what} in {}: {source}", .file.display())]
    Unreadable {
        /// What it should be.
        what: &'static str,
        /// Where.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something in it that is not right.
    #[error("the {what} in {} cannot be used: {source}", .file.display())]
    Unusable {
        /// What it should be.
        what: &'static str,
        /// Where.
        file: PathBuf,
        /// Why.
        source: PairError,
    },
}

/// The two files, and what was made of them.
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    certificates: Arc<Certificates>,
    /// What is in use.
    used: Contents,
    not_after: OffsetDateTime,
    names: Vec<String>,
    /// What was found at the last look and is not in use.
    refused: Option<Refused>,
    warned_of_end: bool,
}

/// A digest of both files; `None` when they cannot be read.
type Contents = Option<[u8; 32]>;

struct Refused {
    contents: Contents,
    told: bool,
}

impl CertificateFiles {
    /// Reads both.
    ///
    /// # Errors
    /// See [`FilesError`].
    pub fn open(certificate: PathBuf, key: PathBuf, now: OffsetDateTime) -> Result<Self, FilesError> {
        let (used, pair) = read(&certificate, &key, now);
        let Pair { certified, contents } = pair?;
        if contents.not_before > now {
            tracing::warn!(
                from = %contents.not_before, %now,
                "the certificate does not count yet, by the clock of this machine; is that right?"
            );
        }
        let (names, not_after) = (contents.names, contents.not_after);
        let certificates = Certificates::new(certified);
        let mut files = Self {
            certificate,
            key,
            certificates,
            used,
            not_after,
            names,
            refused: None,
            warned_of_end: false,
        };
        files.warn_of_end(now);
        Ok(files)
    }

    /// What a server shows.
    pub fn certificates(&self) -> Arc<Certificates> {
        Arc::clone(&self.certificates)
    }

    /// The DNS names that the certificate is for; a `*.` may be among them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads them again. A new pair is used from now on. One that is no good is told once, when two looks have found the same:
    /// between the renewal of one file and that of the other, they do not fit, and that is nothing to tell.
    pub fn look(&mut self, now: OffsetDateTime) {
        self.warn_of_end(now);
        let (contents, pair) = read(&self.certificate, &self.key, now);
        if contents.is_some() && contents == self.used {
            if self.refused.take().is_some_and(|refused| refused.told) {
                tracing::info!("the certificate and its key are those again that are in use");
            }
            return;
        }
        match pair {
            Ok(Pair { certified, contents: certificate }) => {
                self.certificates.use_from_now_on(certified);
                self.used = contents;
                self.not_after = certificate.not_after;
                self.names = certificate.names;
                self.refused = None;
                self.warned_of_end = false;
                tracing::info!(until = %self.not_after, "a new certificate is used from now on");
            }
            Err(error) => {
                let before = self.refused.take().filter(|refused| refused.contents == contents);
                let told = match before {
                    None => false,
                    Some(Refused { told: true, .. }) => true,
                    Some(Refused { told: false, .. }) => {
                        tracing::error!(
                            %error, until = %self.not_after,
                            "the new certificate is not used; the one before it goes on"
                        );
                        true
                    }
                };
                self.refused = Some(Refused { contents, told });
            }
        }
    }

    fn warn_of_end(&mut self, now: OffsetDateTime) {
        if !self.warned_of_end && self.not_after - now < WARN_BEFORE_END {
            self.warned_of_end = true;
            tracing::warn!(
                at = %self.not_after,
                "the certificate ends, and nobody can reach this server over HTTPS then; renew it"
            );
        }
    }
}

fn read(certificate: &Path, key: &Path, now: OffsetDateTime) -> (Contents, Result<Pair, FilesError>) {
    let told = |part| match part {
        Part::Certificate => ("certificate", certificate.to_owned()),
        Part::Key => ("key", key.to_owned()),
    };
    let unreadable = |part, source| {
        let (what, file) = told(part);
        FilesError::Unreadable { what, file, source }
    };
    let read = bytes_of(certificate)
        .map_err(|source| unreadable(Part::Certificate, source))
        .and_then(|first| Ok((first, bytes_of(key).map_err(|source| unreadable(Part::Key, source))?)));
    let (certificate, key) = match read {
        Ok(both) => both,
        Err(error) => return (None, Err(error)),
    };
    let contents = Sha256::new().chain_update(Sha256::digest(&certificate)).chain_update(&key).finalize();
    let pair = Pair::read(&certificate, &key, now).map_err(|(part, source)| {
        let (what, file) = told(part);
        FilesError::Unusable { what, file, source }
    });
    (Some(contents.into()), pair)
}

fn bytes_of(file: &Path) -> io::Result<Vec<u8>> {
    // A pipe gives what it has once, and would hold up each later look.
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MAX_FILE_BYTES} bytes; is it the right file?"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;
    use time::macros::datetime;

    use super::*;

    const TODAY: OffsetDateTime = datetime!(2026-06-20 12:00 UTC);

    struct Files(TempDir);

    impl Files {
        fn new() -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            files.put(&pair(TODAY + Duration::days(90)));
            files
        }

        fn certificate(&self) -> PathBuf {
            self.0.path().join("fullchain.pem")
        }

        fn key(&self) -> PathBuf {
            self.0.path().join("key.pem")
        }

        fn put(&self, (certificate, key): &(String, String)) {
            fs::write(self.certificate(), certificate).unwrap();
            fs::write(self.key(), key).unwrap();
        }

        fn open(&self) -> Result<CertificateFiles, FilesError> {
            CertificateFiles::open(self.certificate(), self.key(), TODAY)
        }

        fn refused(&self) -> String {
            self.open().err().unwrap().to_string()
        }
    }

    /// A certificate until then, and its key.
    fn pair(until: OffsetDateTime) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["hub.example.com".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (TODAY - Duration::days(9000), until);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    impl CertificateFiles {
        fn shown(&self) -> Vec<u8> {
            self.certificates.current().cert[0].to_vec()
        }

        fn has_told(&self) -> bool {
            self.refused.as_ref().is_some_and(|refused| refused.told)
        }
    }

    #[test]
    fn what_is_wrong_at_the_start_is_said_with_the_file_and_what_to_do() {
        let files = Files::new();
        assert_eq!(files.open().unwrap().names(), ["hub.example.com"]);
        let (certificate, key) = pair(TODAY + Duration::days(90));

        fs::write(files.key(), &key).unwrap();
        assert!(files.refused().contains("does not fit"), "{}", files.refused());
        fs::write(files.key(), "").unwrap();
        assert!(files.refused().contains("BEGIN PRIVATE KEY"), "{}", files.refused());
        fs::write(
            files.key(),
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        )
        .unwrap();
        assert!(files.refused().contains("passphrase"), "{}", files.refused());
        fs::remove_file(files.key()).unwrap();
        for told in ["cannot read the key", "key.pem", "No such file"] {
            assert!(files.refused().contains(told), "{told}: {}", files.refused());
        }

        fs::create_dir(files.key()).unwrap();
        assert!(files.refused().contains("no ordinary file"), "{}", files.refused());
        fs::remove_dir(files.key()).unwrap();

        let (foreign, _) = pair(TODAY + Duration::days(90));
        files.put(&(format!("{foreign}{certificate}"), key.clone()));
        assert!(files.refused().contains("must come first"), "{}", files.refused());
        files.put(&(certificate[..certificate.len() / 2].to_owned(), key.clone()));
        assert!(files.refused().contains("certificate"), "{}", files.refused());
        files.put(&(key.clone(), key));
        assert!(files.refused().contains("there is no certificate"), "{}", files.refused());
        files.put(&pair(TODAY - Duration::days(1)));
        for told in ["ended at 2026-06-19", "renew", "clock"] {
            assert!(files.refused().contains(told), "{told}: {}", files.refused());
        }
        fs::write(files.certificate(), vec![b'x'; 2_000_000]).unwrap();
        assert!(files.refused().contains("is it the right file?"), "{}", files.refused());
    }

    #[test]
    fn a_renewed_pair_is_used_and_a_broken_one_is_told_once_and_not_used() {
        let files = Files::new();
        let mut open = files.open().unwrap();
        let first = open.shown();
        open.look(TODAY);
        assert_eq!(open.shown(), first);

        // One file at a time, with a look between: nothing to tell.
        let (certificate, key) = pair(TODAY + Duration::days(180));
        fs::write(files.certificate(), &certificate).unwrap();
        open.look(TODAY);
        assert_eq!((open.shown() == first, open.has_told()), (true, false));
        fs::write(files.key(), &key).unwrap();
        open.look(TODAY);
        let second = open.shown();
        assert_ne!(second, first);

        // What stays broken is told once, whatever it is.
        for (broken_certificate, broken_key) in
            [(&certificate[..100], key.as_str()), ("", ""), (certificate.as_str(), "no")]
        {
            files.put(&(broken_certificate.to_owned(), broken_key.to_owned()));
            open.look(TODAY);
            assert!(!open.has_told());
            open.look(TODAY);
            assert!(open.has_told());
            open.look(TODAY);
            assert_eq!(open.shown(), second);
        }
        fs::remove_file(files.key()).unwrap();
        open.look(TODAY);
        open.look(TODAY);
        assert!(open.has_told());
        files.put(&pair(TODAY - Duration::days(1)));
        open.look(TODAY);
        assert_eq!(open.shown(), second, "one that has ended is no renewal");

        files.put(&pair(TODAY + Duration::days(300)));
        open.look(TODAY);
        assert_ne!(open.shown(), second);
    }
}
