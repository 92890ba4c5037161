//! Checks, and the announcements that follow them.

mod origins;
