use std::fmt;

use bytes::Bytes;

/// Why a side gives up (RFC 8210 §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    CorruptData,
    InternalError,
    /// The only one that is not fatal: the cache has nothing yet.
    NoDataAvailable,
    InvalidRequest,
    UnsupportedVersion,
    UnsupportedType,
    UnknownWithdrawal,
    DuplicateAnnouncement,
    UnexpectedVersion,
    Unknown(u16),
}

/// RFC 8210 §5.11.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    pub code: ErrorCode,
    /// The PDU that was wrong, or the begin of it; empty if there is none.
    pub pdu: Bytes,
    /// For people; may be empty.
    pub text: String,
}

impl ErrorCode {
    pub(super) fn from_number(number: u16) -> ErrorCode {
        match number {
            0 => ErrorCode::CorruptData,
            1 => ErrorCode::InternalError,
            2 => ErrorCode::NoDataAvailable,
            3 => ErrorCode::InvalidRequest,
            4 => ErrorCode::UnsupportedVersion,
            5 => ErrorCode::UnsupportedType,
            6 => ErrorCode::UnknownWithdrawal,
            7 => ErrorCode::DuplicateAnnouncement,
            8 => ErrorCode::UnexpectedVersion,
            other => ErrorCode::Unknown(other),
        }
    }

    pub(super) fn number(self) -> u16 {
        match self {
            ErrorCode::CorruptData => 0,
            ErrorCode::InternalError => 1,
            ErrorCode::NoDataAvailable => 2,
            ErrorCode::InvalidRequest => 3,
            ErrorCode::UnsupportedVersion => 4,
            ErrorCode::UnsupportedType => 5,
            ErrorCode::UnknownWithdrawal => 6,
            ErrorCode::DuplicateAnnouncement => 7,
            ErrorCode::UnexpectedVersion => 8,
            ErrorCode::Unknown(number) => number,
        }
    }
}

/// Characters of a text that are shown.
const TEXT_SHOWN: usize = 200;

impl ErrorReport {
    pub fn new(code: ErrorCode, text: impl Into<String>) -> ErrorReport {
        ErrorReport { code, pdu: Bytes::new(), text: text.into() }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            ErrorCode::CorruptData => "Corrupt Data",
            ErrorCode::InternalError => "Internal Error",
            ErrorCode::NoDataAvailable => "No Data Available",
            ErrorCode::InvalidRequest => "Invalid Request",
            ErrorCode::UnsupportedVersion => "Unsupported Protocol Version",
            ErrorCode::UnsupportedType => "Unsupported PDU Type",
            ErrorCode::UnknownWithdrawal => "Withdrawal of Unknown Record",
            ErrorCode::DuplicateAnnouncement => "Duplicate Announcement Received",
            ErrorCode::UnexpectedVersion => "Unexpected Protocol Version",
            ErrorCode::Unknown(number) => return write!(f, "error {number}"),
        };
        f.write_str(name)
    }
}

/// `Corrupt Data (a prefix of length 40)`.
impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        match self.text.is_empty() {
            true => Ok(()),
            // It comes from outside, and goes to a terminal.
            false => write!(f, " ({})", crate::types::legible(&self.text, TEXT_SHOWN)),
        }
    }
}
