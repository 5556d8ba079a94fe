//! How the session of the person who holds the device stands (AUT-2). Pure display: nothing here blocks a
//! Save, stops the sync or removes anything.

use serde::Serialize;

/// A session, as the shell found it. Durations and not dates: a date that is set while the page is open changes nothing. The
/// shell takes them from the device's date when somebody signed in, and again whenever it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// How long it is still valid, in milliseconds from now; 0 when it has ended.
    pub valid_for_ms: u64,
    /// How long after that nobody is bothered, in milliseconds.
    pub grace_ms: u64,
}

/// When somebody signed in, and what the store said of it, by the device's clock: what is kept over a restart.
/// All in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// Since 1970.
    pub at_ms: u64,
    /// How long the session lasts.
    pub lasts_ms: u64,
    /// How long after that nobody is bothered.
    pub grace_ms: u64,
}

impl SignIn {
    /// The session as it stands at this moment, in milliseconds since 1970. A clock that was set back to before the
    /// sign-in shows the moment of the sign-in: then the session lasts longer, and nobody is bothered for it.
    pub const fn session(self, now_ms: u64) -> Session {
        let since_ms = now_ms.saturating_sub(self.at_ms);
        Session {
            valid_for_ms: self.lasts_ms.saturating_sub(since_ms),
            grace_ms: self.grace_ms.saturating_sub(since_ms.saturating_sub(self.lasts_ms)),
        }
    }
}

/// How it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionState {
    /// Nobody has signed in.
    #[default]
    None,
    /// It is valid.
    Valid,
    /// It has ended; work goes on unbothered for a stated time.
    Grace,
    /// The person is asked to sign in again. Work goes on all the same.
    Reconnect,
}

/// The session on the engine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SessionClock {
    /// When it ends, and when the grace ends.
    ends_ms: Option<(u64, u64)>,
}

impl SessionClock {
    pub(super) const fn start(&mut self, now_ms: u64, session: Session) {
        let valid_until_ms = now_ms.saturating_add(session.valid_for_ms);
        self.ends_ms = Some((valid_until_ms, valid_until_ms.saturating_add(session.grace_ms)));
    }

    pub(super) const fn end(&mut self) {
        self.ends_ms = None;
    }

    pub(super) const fn state(self, now_ms: u64) -> SessionState {
        match self.ends_ms {
            None => SessionState::None,
            Some((valid_until_ms, _)) if now_ms < valid_until_ms => SessionState::Valid,
            Some((_, grace_until_ms)) if now_ms < grace_until_ms => SessionState::Grace,
            Some(_) => SessionState::Reconnect,
        }
    }

    /// When the state changes next.
    pub(super) const fn next_change_ms(self, now_ms: u64) -> Option<u64> {
        match (self.state(now_ms), self.ends_ms) {
            (SessionState::Valid, Some((valid_until_ms, _))) => Some(valid_until_ms),
            (SessionState::Grace, Some((_, grace_until_ms))) => Some(grace_until_ms),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AUT-2: valid, then grace, then a wish to reconnect; each change has its time.
    #[test]
    fn a_session_ends_in_two_steps() {
        let mut clock = SessionClock::default();
        assert_eq!((clock.state(0), clock.next_change_ms(0)), (SessionState::None, None));
        clock.start(1_000, Session { valid_for_ms: 500, grace_ms: 200 });
        for (now_ms, state, next_ms) in [
            (1_499, SessionState::Valid, Some(1_500)),
            (1_500, SessionState::Grace, Some(1_700)),
            (1_700, SessionState::Reconnect, None),
        ] {
            assert_eq!((clock.state(now_ms), clock.next_change_ms(now_ms)), (state, next_ms), "{now_ms}");
        }
        clock.start(2_000, Session { valid_for_ms: u64::MAX, grace_ms: 1 });
        assert_eq!(clock.state(u64::MAX - 1), SessionState::Valid);
        assert_eq!(clock.state(u64::MAX), SessionState::Reconnect);
    }

    /// AUT-2: whatever the device's clock shows at a start, the session stands somewhere, and nobody is locked out.
    #[test]
    fn a_restart_finds_the_session_where_it_was() {
        let signed_in = SignIn { at_ms: 1_000, lasts_ms: 500, grace_ms: 200 };
        for (now_ms, valid_for_ms, grace_ms) in [
            (0, 500, 200),
            (1_000, 500, 200),
            (1_499, 1, 200),
            (1_500, 0, 200),
            (1_650, 0, 50),
            (1_700, 0, 0),
            (u64::MAX, 0, 0),
        ] {
            assert_eq!(signed_in.session(now_ms), Session { valid_for_ms, grace_ms }, "{now_ms}");
        }
        let for_ever = SignIn { at_ms: u64::MAX, lasts_ms: u64::MAX, grace_ms: u64::MAX };
        assert_eq!(for_ever.session(u64::MAX).valid_for_ms, u64::MAX);
    }
}
