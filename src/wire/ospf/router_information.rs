/// What we read of an opaque router information LSA (RFC 7770).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterInformation {
    /// Dynamic hostname (RFC 5642).
    pub hostname: Option<String>,
}
