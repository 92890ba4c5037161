use bytes::Bytes;

/// RFC 4271 §4.5. Codes are kept as numbers: unknown ones survive and can be shown.
///
/// `Display` gives the readable name and what the data says:
/// `Cease / Administrative Shutdown: "maintenance until 04:00"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub code: u8,
    pub subcode: u8,
    pub data: Bytes,
}
