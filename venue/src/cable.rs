//! What a cable does to what it carries.

use std::time::Duration;

/// Between a computer and all others, the same both ways. A packet from one computer to another goes by two of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cable {
    /// It carries nothing, and says nothing of it.
    pub is_cut: bool,
    /// What each packet takes.
    pub delay: Duration,
    /// Of a hundred packets, how many are lost.
    pub loss_percent: u8,
}

impl Cable {
    /// One that carries everything at once.
    pub const GOOD: Self = Self { is_cut: false, delay: Duration::ZERO, loss_percent: 0 };
    /// One that carries nothing.
    pub const CUT: Self = Self { is_cut: true, ..Self::GOOD };

    /// One that takes its time, and loses some.
    #[must_use]
    pub const fn poor(delay: Duration, loss_percent: u8) -> Self {
        Self { is_cut: false, delay, loss_percent }
    }

    /// What a packet takes; `None` where it is lost.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing is carried there"))]
    pub(crate) fn carries(self, chance: &mut fastrand::Rng) -> Option<Duration> {
        let is_lost = self.is_cut || chance.u8(0..100) < self.loss_percent;
        (!is_lost).then_some(self.delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cable_loses_what_it_says() {
        let mut chance = fastrand::Rng::with_seed(7);
        let mut carried = |cable: Cable| (0..10_000).filter(|_| cable.carries(&mut chance).is_some()).count();
        assert_eq!((carried(Cable::GOOD), carried(Cable::CUT)), (10_000, 0));
        assert!((7_800..8_200).contains(&carried(Cable::poor(Duration::ZERO, 20))));
    }
}
