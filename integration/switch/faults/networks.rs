//! Nodes that do not hear of each other, or of the routes.

use std::time::Duration;

use crate::lab::{Node, PATIENCE, wait_for};
use crate::switch::sites::{Lab, Others, Plan};

const SWITCH: [&str; 5] = ["switch", "payments", "--to", "dc2", "--yes"];

fn back() -> [&'static str; 5] {
    SWITCH.map(|word| if word == "dc2" { "dc1" } else { word })
}

/// The router inside does not pass on what matches, from now on.
#[track_caller]
fn stop(core: &Node, rules: &str) {
    let table = format!(
        "table inet parted {{\n  chain in {{\n    type filter hook input priority 0;\n    {rules}\n  }}\n  \
         chain through {{\n    type filter hook forward priority 0;\n    {rules}\n  }}\n}}\n"
    );
    let file = core.write("parted.nft", &table);
    core.must("nft", &["-f", &file]);
}

#[track_caller]
fn pass(core: &Node) {
    core.must("nft", &["delete", "table", "inet", "parted"]);
}

/// The nodes of the sites do not reach each other; the routes go on being told.
const NO_WORD: &str = "iifname { edge1, fw1 } oifname { edge2, fw2 } tcp dport 7170 drop\n    \
                       iifname { edge2, fw2 } oifname { edge1, fw1 } tcp dport 7170 drop\n    \
                       iifname { edge1, fw1 } oifname { edge2, fw2 } tcp sport 7170 drop\n    \
                       iifname { edge2, fw2 } oifname { edge1, fw1 } tcp sport 7170 drop";
/// Nothing comes from the second site any more, and nothing gets there but the router's own.
const NOTHING: &str = "iifname { edge2, fw2 } drop\n    oifname { edge2, fw2 } drop";

/// The sites part when a step has begun: for a moment, and for so long that the switch is given up.
#[test]
fn the_nodes_of_the_sites_part() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    let mut order = lab.begin("edge1", &SWITCH);
    order.wait("prepare", "begun");
    stop(&lab.core, NO_WORD);
    std::thread::sleep(Duration::from_millis(1500));
    pass(&lab.core);
    let at = lab.settles("parted at prepare for a moment", "payments");
    let ended = order.end();
    println!("parted at prepare: {ended:?}");
    assert_eq!((ended.code, at), (0, 2));

    let mut order = lab.begin("edge1", &back());
    order.wait("lower", "begun");
    stop(&lab.core, NO_WORD);
    order.wait("", "failed");
    pass(&lab.core);
    let at = lab.settles("parted at lower", "payments");
    let ended = order.end();
    println!("parted at lower: {ended:?}");
    assert_eq!((ended.code, at), (8, 2));
}

/// The second site is cut off while the group is raised there, for longer than its neighbours wait for it.
#[test]
fn a_site_is_cut_off() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    let mut order = lab.begin("edge1", &SWITCH);
    order.wait("raise", "begun");
    stop(&lab.core, NOTHING);
    wait_for("loss of the site", PATIENCE, || match lab.core.next_hops("10.99.32.0/24")?[..] {
        [] => Ok(()),
        ref hops => Err(format!("{hops:?}")),
    });
    pass(&lab.core);
    // What went wrong is over when the routers have found each other again.
    let edge2 = &lab.member("edge2").node;
    for (node, network, hop) in [
        (&lab.core, "10.99.32.0/24", "10.99.4.2@fw2"),
        (edge2, "10.99.31.0/24", "10.99.2.1@core"),
        (edge2, "10.99.32.0/24", "10.99.2.1@core"),
    ] {
        node.wait_next_hops(network, &[hop]);
    }
    let at = lab.settles("cut off at raise", "payments");
    let ended = order.end();
    println!("cut off at raise: {ended:?}");
    assert_eq!(if ended.code == 0 { 2 } else { 1 }, at, "{ended:?}");
}

/// Who cannot be reached from the start is a refusal; with an excuse it learns the outcome when it is back.
#[test]
fn a_node_is_unreachable() {
    let lab = Lab::new(Plan::new(Others::Shunt));
    stop(
        &lab.core,
        "iifname fw1 tcp dport 7170 drop\n    oifname fw1 tcp dport 7170 drop\n    iifname fw1 tcp sport 7170 drop",
    );
    let ended = lab.order("edge1", &SWITCH);
    println!("unreachable: {ended:?}");
    assert_eq!((ended.code, ended.outcome("payments").as_str()), (1, "refused"), "{ended:?}");
    assert!(ended.errors.contains("fw1 is not reached (10.99.3.2:7170"), "{ended:?}");
    assert_eq!(lab.place("payments"), Ok(1));
    let ended = lab.order("edge1", &[&SWITCH[..], &["--without", "fw1"]].concat());
    println!("excused: {ended:?}");
    assert!(ended.outcome("payments") == "committed", "{ended:?}");
    pass(&lab.core);
    assert_eq!(lab.settles("a node is unreachable", "payments"), 2);
}

/// An ISP does not take the group from the second site: it still goes there, on a way through the first one.
#[test]
fn an_isp_filters_the_group() {
    let lab = Lab::new(Plan::new(Others::Frr));
    lab.filter_at_isp1("10.99.13.2", "198.51.100.0/24");
    let ended = lab.order("edge1", &SWITCH);
    println!("filtered: {ended:?}");
    let at = if ended.code == 0 { 2 } else { 1 };
    wait_for("traffic at one site", Duration::from_secs(2), || {
        match lab.traffic_at("payments")? {
            site if site == at => Ok(()),
            site => Err(format!("at dc{site}")),
        }
    });
    assert_eq!(lab.announced_at("payments"), Ok(at));
}
