//! What must be true of any bytes. The fuzz targets call these, and a test of the product replays the corpora by them.

mod edit;
mod envelope;
mod handle;
mod oauth;
mod stream;

pub(crate) use edit::edit;
pub(crate) use envelope::envelope;
pub(crate) use handle::handle;
pub(crate) use oauth::oauth;
pub(crate) use stream::stream;

/// Numbers that follow from the first bytes of an input.
pub(crate) struct Dice(u64);

impl Dice {
    /// Takes up to eight bytes from the front.
    pub(crate) fn take(input: &[u8]) -> (Self, &[u8]) {
        let (head, rest) = input.split_at(input.len().min(8));
        let mut seed = [0; 8];
        seed[..head.len()].copy_from_slice(head);
        (Self(u64::from_le_bytes(seed)), rest)
    }

    /// A number below `bound`, or 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // Steele and others, "Fast splittable pseudorandom number generators" (SplitMix64).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}
