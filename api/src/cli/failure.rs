//! What a command says when it fails.

/// The error and its causes in one line. Many libraries say their cause themselves; what was just said is not said again.
pub(super) fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.ends_with(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::{Context, Error};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot lock the folder: {source}")]
    struct SaysItsCause {
        source: io::Error,
    }

    #[test]
    fn no_cause_is_said_twice_and_none_is_left_out() {
        let denied = || io::Error::other("Permission denied");
        let error = Error::from(SaysItsCause { source: denied() });
        assert_eq!(told(&error), "cannot lock the folder: Permission denied");
        let error = Err::<(), _>(denied()).context("cannot write a.csv").unwrap_err();
        assert_eq!(told(&error), "cannot write a.csv: Permission denied");
    }
}
