//! Randomness from the operating system.

/// Fills an array with random bytes.
#[expect(clippy::disallowed_methods, reason = "the one place where randomness is drawn")]
pub fn bytes<const N: usize>() -> [u8; N]
where
    rand::distr::StandardUniform: rand::distr::Distribution<[u8; N]>,
{
    rand::random()
}
