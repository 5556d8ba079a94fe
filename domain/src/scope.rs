//! What a token lets its bearer do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing that a bearer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Give leads to the store: devices, and programs that take sign-ups elsewhere.
    Capture,
    /// Hand in what a device that was shut out still holds, for somebody to look at. Such devices get it by themselves.
    Quarantine,
    /// Bring leads of many devices, and what was heard of them, and read what was published: a hub, which is believed.
    Relay,
    /// Look after an event: exports, backups, devices.
    Organize,
    /// Take leads and contacts out.
    Crm,
    /// Look after the store itself.
    Operate,
}

/// A text that names no scope. It is not repeated: it may be what somebody typed into the wrong field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be out of capture, quarantine, relay, organize, crm and operate")]
pub struct ScopeError;

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Capture, Self::Quarantine, Self::Relay, Self::Organize, Self::Crm, Self::Operate];

    /// Those that are given to people. `operate` means nothing yet, and is given to nobody: what it will mean one day is not
    /// decided by who got it before.
    pub const FOR_PEOPLE: &[Self] = &[Self::Capture, Self::Organize, Self::Crm];

    /// Those that are given to programs.
    pub const FOR_PROGRAMS: &[Self] = &[Self::Capture, Self::Relay, Self::Organize, Self::Crm];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The scope as OAuth writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Quarantine => "quarantine",
            Self::Relay => "relay",
            Self::Organize => "organize",
            Self::Crm => "crm",
            Self::Operate => "operate",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(ScopeError)
    }
}

/// Nobody is given this scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// There is no such scope.
    #[error("must be out of {}", list(.among))]
    Unknown {
        /// Those that there are.
        among: &'static [Scope],
    },
    /// It is for later, or for others alone.
    #[error("{scope} is not given to anybody like this; must be out of {}", list(.among))]
    NotGiven {
        /// What was wished for.
        scope: Scope,
        /// Those that are given.
        among: &'static [Scope],
    },
}

fn list(scopes: &[Scope]) -> String {
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => words.concat(),
    }
}

impl Scope {
    /// The scope of this name, if it can be given to a person.
    ///
    /// # Errors
    /// [`GrantError`] when it cannot.
    pub fn for_person(text: &str) -> Result<Self, GrantError> {
        Self::grantable(text, Self::FOR_PEOPLE)
    }

    /// The same for a program.
    ///
    /// # Errors
    /// [`GrantError`] when it cannot.
    pub fn for_program(text: &str) -> Result<Self, GrantError> {
        Self::grantable(text, Self::FOR_PROGRAMS)
    }

    fn grantable(text: &str, among: &'static [Self]) -> Result<Self, GrantError> {
        let scope: Self = text.parse().map_err(|ScopeError| GrantError::Unknown { among })?;
        if among.contains(&scope) { Ok(scope) } else { Err(GrantError::NotGiven { scope, among }) }
    }
}

/// Scopes as one text, separated by spaces (RFC 6749, section 3.3); in any order, never none. Every request carries them:
/// one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// These; `None` when there are none.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Option<Self> {
        let bits = scopes.into_iter().fold(0, |bits, scope| bits | scope.bit());
        (bits != 0).then_some(Self(bits))
    }

    /// Whether this is among them.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether all of `others` are among them.
    pub const fn include(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = Scope::ALL.into_iter().filter(|scope| self.contains(*scope));
        for (index, scope) in own.enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{scope}")?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let scopes: Result<Vec<Scope>, ScopeError> = text.split(' ').map(str::parse).collect();
        Self::new(scopes?).ok_or(ScopeError)
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_one_text_in_one_order() {
        let scopes: Scopes = "crm organize crm".parse().unwrap();
        assert_eq!(scopes.to_string(), "organize crm");
        assert!(scopes.contains(Scope::Crm) && !scopes.contains(Scope::Operate));
        assert!(scopes.include("crm".parse().unwrap()));
        assert!(!scopes.include("crm capture".parse().unwrap()));
        assert_eq!(Scopes::new([]), None);
    }

    #[test]
    fn a_scope_that_is_for_later_or_for_devices_is_given_to_nobody() {
        assert_eq!(Scope::for_program("crm"), Ok(Scope::Crm));
        // Nobody who signs in is believed about devices.
        assert_eq!(Scope::for_program("relay"), Ok(Scope::Relay));
        let told = |text| Scope::for_person(text).map_err(|error| error.to_string());
        let among = "must be out of capture, organize and crm";
        for scope in ["relay", "quarantine", "operate"] {
            assert_eq!(told(scope), Err(format!("{scope} is not given to anybody like this; {among}")));
        }
        assert_eq!(told("admin"), Err(among.to_owned()));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for bad in ["", " ", "crm ", "crm  organize", "CRM", "crm,organize", "admin", "crm\torganize"] {
            assert_eq!(bad.parse::<Scopes>(), Err(ScopeError), "{bad:?}");
        }
    }
}
