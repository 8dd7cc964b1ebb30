//! Random numbers, the same on every machine.

/// Pieces of events that are drawn once, when they are first used, and copied from then on: an event is cheap.
pub(crate) struct Pool<T> {
    seed: u64,
    pieces: Vec<Option<T>>,
}

impl<T> Pool<T> {
    pub(crate) fn new(size: usize, draw: &mut Draw) -> Self {
        Self { seed: draw.next(), pieces: std::iter::repeat_with(|| None).take(size).collect() }
    }

    /// One of the pieces; `make` makes those that were not needed before.
    pub(crate) fn one(&mut self, draw: &mut Draw, make: impl FnOnce(&mut Draw) -> T) -> &T {
        let at = draw.below(self.pieces.len() as u64);
        self.pieces[at as usize].get_or_insert_with(|| make(&mut Draw::new(self.seed ^ (at << 24))))
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and good enough to choose texts.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `from` to `to`, both included.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// One of several, which are not none.
    pub(crate) fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len() as u64) as usize]
    }

    /// True once in `of` times.
    pub(crate) fn once_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// A size as responses have them: many small, few large, at most 2^20.
    pub(crate) fn size(&mut self) -> u64 {
        let bits = self.between(4, 20);
        self.below(1 << bits)
    }

    /// Puts a list into another order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at as u64 + 1) as usize);
        }
    }

    /// A path of a shop's site or interface.
    pub(crate) fn path(&mut self) -> String {
        let (number, hash) = (self.between(1, 999_999), self.next() as u32);
        match self.below(10) {
            0 => "/".into(),
            1 => "/livez".into(),
            2 => "/api/v1/baskets".into(),
            3 => format!("/api/v1/baskets/{number}"),
            4 => format!("/api/v2/customers/{number}/addresses"),
            5 => format!("/assets/js/vendor.{hash:08x}.min.js"),
            6 => format!("/assets/css/theme.{hash:08x}.css"),
            7 => format!("/media/products/{number}/large_1280x960.webp"),
            8 => "/find".into(),
            _ => format!("/basket/lines/{number}/remove"),
        }
    }

    pub(crate) fn method(&mut self) -> &'static str {
        self.one(&["GET", "GET", "GET", "GET", "GET", "GET", "GET", "POST", "PUT", "HEAD"])
    }

    pub(crate) fn status(&mut self) -> u64 {
        match self.below(100) {
            0..72 => 200,
            72..84 => 304,
            84..89 => 302,
            89..95 => 404,
            95..97 => 201,
            97 => 500,
            98 => 502,
            _ => 503,
        }
    }
}
