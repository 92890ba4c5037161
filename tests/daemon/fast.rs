//! What the thread of BFD and VRRP does is read through the agent.

use shunt::api::v1;

use super::process::{Home, address, eventually, node};

#[tokio::test]
async fn a_session_of_the_lane_is_read_by_its_name() {
    let (local, remote) = (address(), address());
    let config = format!(
        "{}[bfd.session.far]\nlocal-address = \"{local}\"\naddress = \"{remote}\"\nmultihop = 3\n",
        node(64500, local)
    );
    let daemon = Home::new(&config).start().await;
    let mut client = daemon.client().await;
    let session = eventually("the lane has the session", async || {
        let reply = client.bfd(v1::BfdRequest { name: "far".to_owned() }).await.ok()?.into_inner();
        reply.sessions.into_iter().find(|session| session.sent > 0)
    })
    .await;
    assert_eq!((session.address, session.local_address), (remote.to_string(), local.to_string()));
    assert_eq!((session.state.as_str(), session.min_ttl), ("down", 253));
    assert_eq!(session.clients, ["session far"]);
    assert!(session.local_discriminator != 0);

    let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    let fast = status.fast.unwrap();
    assert_eq!((fast.bfd_sessions, fast.bfd_up, fast.routers), (1, 0, 0));
    assert!(fast.lag.is_some(), "the lane answers");
    let warning =
        format!("BFD session with {remote} (session far) is not up: it has not been up yet");
    assert!(status.warnings.contains(&warning), "{:?}", status.warnings);

    let routers = client.vrrp(v1::VrrpRequest::default()).await.unwrap().into_inner();
    assert_eq!(routers, v1::VrrpReply::default());
    let refused = daemon.order("vrrp-release", "outside", "").await.unwrap_err();
    assert_eq!(refused.message(), "no virtual router `outside`; none is configured");
}

#[tokio::test]
async fn without_bfd_and_vrrp_there_is_nothing_to_say_of_the_lane() {
    let daemon = Home::new(&node(64500, address())).start().await;
    let status = daemon.client().await.status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.fast, None);
    assert!(!status.warnings.iter().any(|warning| warning.contains("BFD")));
}
