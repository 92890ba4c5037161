/// A prefix of ours as the area is to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Lower attracts. Up to 65535 for a stub link, up to 0xfffffe (LSInfinity - 1) otherwise.
    pub metric: u32,
    pub how: How,
    /// External route tag; a stub link has none.
    pub tag: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Type 1: the way to us counts as well.
    External1,
    /// Type 2: larger than any cost inside; among equal ones the nearest exit wins.
    #[default]
    External2,
    /// A stub link of our router-LSA.
    Stub,
}
