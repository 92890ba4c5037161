//! Who a client is and what it may do, by the credentials of its end of the socket.

use std::fs;

use tonic::Status;
use tonic::transport::server::UdsConnectInfo;

use crate::agent::Owner;

/// May `info`'s client write? Its name for the intents, or the refusal.
///
/// Root, the daemon's own user and the members of the socket's group may. Reads are open to whoever can open
/// the socket.
pub fn writer(info: Option<&UdsConnectInfo>, socket_gid: u32) -> Result<Owner, Status> {
    let Some(credentials) = info.and_then(|info| info.peer_cred) else {
        return Err(Status::permission_denied(
            "the socket does not say who you are, so nothing is changed",
        ));
    };
    let (uid, gid) = (credentials.uid(), credentials.gid());
    let name = name_of(uid, &read("/etc/passwd"));
    let own = nix::unistd::geteuid().as_raw();
    let member = || {
        gid == socket_gid
            || name.as_deref().is_some_and(|name| is_member(name, socket_gid, &read("/etc/group")))
    };
    let text = match &name {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    };
    if uid == 0 || uid == own || member() {
        return Ok(Owner(text));
    }
    Err(Status::permission_denied(format!(
        "{text} may read but not change anything: only root, the user of shuntd (uid {own}) and the members \
         of the socket's group (gid {socket_gid}) may"
    )))
}

/// These files are small and local; users of a directory service are shown by number only.
fn read(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// By passwd(5): `name:password:uid:…`.
fn name_of(uid: u32, passwd: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// By group(5): `group:password:gid:name,name`.
fn is_member(name: &str, gid: u32, groups: &str) -> bool {
    groups.lines().any(|line| {
        let mut fields = line.split(':').skip(2);
        let found = fields.next().is_some_and(|field| field.parse() == Ok(gid));
        found && fields.next().is_some_and(|names| names.split(',').any(|member| member == name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_members_are_found_by_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nalice:x:1000:100::/home/alice:/bin/sh\n";
        assert_eq!(name_of(1000, passwd).as_deref(), Some("alice"));
        assert_eq!(name_of(100, passwd), None);
        let groups = "root:x:0:\nnetops:x:27:bob,alice\nother:x:270:carol\n";
        assert!(is_member("alice", 27, groups) && is_member("bob", 27, groups));
        assert!(!is_member("ali", 27, groups) && !is_member("carol", 27, groups));
        assert!(!is_member("alice", 270, groups));
    }

    #[test]
    fn a_client_without_credentials_may_not_write() {
        assert_eq!(writer(None, 0).unwrap_err().code(), tonic::Code::PermissionDenied);
    }
}
