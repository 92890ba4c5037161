use std::time::Duration;

/// `[guard]`: when this node doubts itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Checks of what always answers, by name. When there are some and none of them is up, this node is blind: what it
    /// thinks of anything else counts as unknown.
    pub witnesses: Vec<String>,
    /// `None`: whatever many changes there are, each is made.
    pub correlated: Option<Correlated>,
}

/// Too many changes at once say more of who sees them than of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correlated {
    /// Groups here, or nodes seen elsewhere.
    pub more_than: usize,
    pub within: Duration,
    /// For so long nothing changes by itself.
    pub freeze: Duration,
}
