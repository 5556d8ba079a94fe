//! Tokens whose signature was checked already: a signature costs fifty times what a look here does.
//!
//! What is kept is what the token says, under its whole text: a digest in its place costs more than all the rest of a look.
//! Whether its time is over and whether its key was retired or its client revoked is asked each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::token::Verified;

/// Tokens that are remembered. A thousand devices have a token each; a forgotten one costs a signature.
const MAX_CACHED_TOKENS: usize = 4096;

/// The tokens that were used lately, at most [`MAX_CACHED_TOKENS`].
#[derive(Default)]
pub(crate) struct TokenCache(Mutex<Generations>);

/// When the young are half of what may be kept, they become the old, and the old are forgotten: what is used stays, and
/// nothing has to be sorted.
#[derive(Default)]
struct Generations {
    young: HashMap<Box<str>, Arc<Verified>>,
    old: HashMap<Box<str>, Arc<Verified>>,
}

impl TokenCache {
    /// What this token says, if it was checked lately.
    pub(crate) fn get(&self, token: &str) -> Option<Arc<Verified>> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verified) = generations.young.get(token) {
            return Some(Arc::clone(verified));
        }
        let (text, verified) = generations.old.remove_entry(token)?;
        generations.insert(text, Arc::clone(&verified));
        Some(verified)
    }

    /// Remembers a token that holds.
    pub(crate) fn insert(&self, token: &str, verified: Arc<Verified>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token.into(), verified);
    }
}

impl Generations {
    fn insert(&mut self, token: Box<str>, verified: Arc<Verified>) {
        if self.young.len() >= MAX_CACHED_TOKENS / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, verified);
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;
    use crate::{Principal, Subject};

    #[test]
    fn it_is_bounded_and_what_is_used_stays() {
        let cache = TokenCache::default();
        let principal = Principal {
            subject: Subject::Admin("ewa".parse().unwrap()),
            scopes: "crm".parse().unwrap(),
            expires_at: Timestamp::from_unix_ms(0, 0).unwrap(),
        };
        let verified = Arc::new(Verified { kid: "key".to_owned(), principal });
        cache.insert("used", verified.clone());
        for number in 0..3 * MAX_CACHED_TOKENS {
            cache.insert(&number.to_string(), verified.clone());
            if number % 1000 == 0 {
                assert_eq!(cache.get("used"), Some(verified.clone()));
            }
        }
        assert_eq!(cache.get("0"), None);
        let generations = cache.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= MAX_CACHED_TOKENS);
    }
}
