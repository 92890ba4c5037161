//! What is made in the kernel, and what stays of it.

use shunt::driver::addresses::{Change, LinkAddress, Netlink};

use super::*;

#[test]
fn a_macvlan_is_made_goes_up_with_its_addresses_and_leaves_nothing() {
    in_namespace(|| {
        let four = |assigned| Some(wanted(&["10.0.0.1", "10.0.0.3"], assigned));
        let six = |assigned| Some(wanted(&["fe80::10", "2001:db8::1"], assigned));
        let before = interfaces();
        set_sysctl("ipv4/conf/lan/arp_announce", "1");
        set_sysctl("ipv4/conf/lan/forwarding", "1");
        set_sysctl("ipv6/conf/lan/forwarding", "1");
        let watched = Watched::new();

        assert_eq!(watched.set(GATE, four(false)), Ok(false));
        assert_eq!(watched.set(GATE6, six(false)), Ok(false));
        assert!(!is_up("vrrp4.10") && !is_up("vrrp6.10"));
        let link = ip("-details link show dev vrrp4.10");
        for part in ["vrrp4.10@lan", "00:00:5e:00:01:0a", "addrgenmode none", "shunt vrrp gate"] {
            assert!(link.contains(part), "{part} in {link}");
        }
        assert!(ip("link show dev vrrp6.10").contains("00:00:5e:00:02:0a"));
        assert_eq!(addresses_of("vrrp4.10"), [""; 0]);
        for (path, value) in [
            ("ipv4/conf/lan/arp_ignore", "1"),
            ("ipv4/conf/lan/arp_announce", "2"),
            ("ipv4/conf/lan/accept_local", "1"),
            ("ipv4/conf/vrrp4.10/rp_filter", "2"),
            ("ipv4/conf/vrrp4.10/arp_ignore", "1"),
            ("ipv6/conf/vrrp6.10/accept_dad", "0"),
            ("ipv6/conf/vrrp6.10/accept_ra", "0"),
        ] {
            assert_eq!(sysctl(path), value, "{path}");
        }

        let begin = Instant::now();
        assert_eq!(watched.set(GATE, four(true)), Ok(true));
        let first = begin.elapsed();
        assert_eq!(watched.set(GATE6, six(true)), Ok(true));
        assert!(is_up("vrrp4.10") && is_up("vrrp6.10"));
        assert_eq!(addresses_of("vrrp4.10"), ["10.0.0.1/32", "10.0.0.3/32"]);
        assert_eq!(addresses_of("vrrp6.10"), ["2001:db8::1/128", "fe80::10/64"]);
        assert!(!ip("address show dev vrrp6.10").contains("tentative"), "usable at once");
        assert_eq!(sysctl("ipv4/conf/vrrp4.10/forwarding"), "1");
        assert_eq!(sysctl("ipv6/conf/vrrp6.10/forwarding"), "1");

        // Again, and with other addresses.
        assert_eq!(watched.set(GATE, four(true)), Ok(true));
        assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.4", "10.0.0.1"], true))), Ok(true));
        assert_eq!(addresses_of("vrrp4.10"), ["10.0.0.1/32", "10.0.0.4/32"]);

        let begin = Instant::now();
        assert_eq!(watched.set(GATE, four(false)), Ok(false));
        let released = begin.elapsed();
        let begin = Instant::now();
        assert_eq!(watched.set(GATE, four(true)), Ok(true));
        let second = begin.elapsed();
        println!(
            "assigned in {first:?} with the guardian's start, {second:?}; released in {released:?}"
        );
        assert_eq!(watched.set(GATE, four(false)), Ok(false));
        assert_eq!(addresses_of("vrrp4.10"), [""; 0]);
        eventually(|| !is_up("vrrp4.10"));

        assert_eq!(watched.set(GATE, None), Ok(false));
        assert_eq!(sysctl("ipv4/conf/lan/arp_ignore"), "0");
        assert_eq!(sysctl("ipv4/conf/lan/arp_announce"), "1");
        assert_eq!(sysctl("ipv4/conf/lan/accept_local"), "0");
        drop(watched);
        assert_eq!(interfaces(), before, "vrrp6.10 was still assigned");
    });
}

#[test]
fn a_name_that_is_taken_is_left_to_its_owner() {
    in_namespace(|| {
        ip("link add dmz type veth peer name dmz-far");
        ip("link add vrrp6.10 type veth peer name foreign");
        let watched = Watched::new();
        assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.1"], true))), Ok(true));
        let other = VirtualAddresses {
            interface: index("dmz"),
            interface_name: "dmz".to_owned(),
            ..wanted(&["10.0.1.1"], true)
        };
        let second = format!("vrrp4.10.{}", index("dmz"));
        assert_eq!(watched.set(VirtualRouterId(3), Some(other)), Ok(true));
        assert_eq!(watched.set(GATE6, Some(wanted(&["fe80::10"], true))), Ok(true));
        assert_eq!(addresses_of("vrrp4.10"), ["10.0.0.1/32"]);
        assert_eq!(addresses_of(&second), ["10.0.1.1/32"]);
        assert_eq!(addresses_of(&format!("vrrp6.10.{}", index("lan"))), ["fe80::10/64"]);
        drop(watched);
        assert!(interfaces().contains(&"vrrp6.10".to_owned()));
    });
}

#[test]
fn with_the_physical_mac_the_addresses_come_to_the_interface() {
    in_namespace(|| {
        let physical = |addresses: &[&str], assigned| {
            Some(VirtualAddresses { mac: None, ..wanted(addresses, assigned) })
        };
        let links = interfaces();
        let own = addresses_of("lan");
        let watched = Watched::new();
        assert_eq!(watched.set(GATE, physical(&["10.0.0.1"], false)), Ok(false));
        assert_eq!(watched.set(GATE6, physical(&["2001:db8::1", "fe80::10"], true)), Ok(true));
        assert_eq!(watched.set(GATE, physical(&["10.0.0.1"], true)), Ok(true));
        assert_eq!(
            addresses_of("lan"),
            ["10.0.0.1/32", "10.0.0.2/24", "2001:db8::1/128", "2001:db8::2/64"]
        );
        assert!(ip("address show dev lan").contains("fe80::10/128"));
        assert_eq!((interfaces(), sysctl("ipv4/conf/lan/arp_ignore")), (links, "0".to_owned()));
        assert_eq!(sysctl("ipv4/conf/lan/accept_local"), "1");
        assert_eq!(watched.set(GATE, physical(&["10.0.0.1"], false)), Ok(false));
        assert!(!addresses_of("lan").contains(&"10.0.0.1/32".to_owned()));
        drop(watched);
        assert_eq!(sysctl("ipv4/conf/lan/accept_local"), "0");
        assert_eq!(addresses_of("lan"), own);
        assert!(!ip("address show dev lan").contains("fe80::10/128"));
    });
}

#[test]
fn what_the_owner_has_by_itself_stays_as_it_is() {
    in_namespace(|| {
        eventually(|| !ip("-6 address show tentative").contains("inet6"));
        let all = || {
            let state = ["address show dev lan", "-4 route show dev lan", "-6 route show dev lan"];
            state.map(ip)
        };
        let before = all();
        let text = ip("-oneline -6 address show dev lan scope link");
        let link_local = text.split([' ', '/']).find(|word| word.starts_with("fe80::")).unwrap();
        let owner = |addresses: &[&str], assigned| {
            Some(VirtualAddresses { mac: None, ..wanted(addresses, assigned) })
        };
        let watched = Watched::new();
        assert_eq!(watched.set(GATE6, owner(&[link_local, "2001:db8::2"], true)), Ok(true));
        assert_eq!(watched.set(GATE, owner(&["10.0.0.2"], true)), Ok(true));
        assert_eq!(all()[1..], before[1..]);
        assert_eq!(watched.set(GATE6, owner(&[link_local, "2001:db8::2"], false)), Ok(false));
        assert_eq!(watched.set(GATE, owner(&["10.0.0.2"], false)), Ok(false));
        assert_eq!(all(), before);
    });
}

#[test]
fn what_an_earlier_life_has_left_is_removed_at_the_start() {
    in_namespace(|| {
        let before = (interfaces(), addresses_of("lan"));
        ip("link add vrrp4.9 link lan type macvlan mode bridge");
        ip("address add 10.0.0.9/32 dev vrrp4.9");
        ip("link set vrrp4.9 up");
        let alias = "shunt vrrp gate (before: arp_ignore=0 arp_announce=1 accept_local=0)";
        let status = Command::new("ip").args(["link", "set", "vrrp4.9", "alias", alias]).status();
        assert!(status.unwrap().success());
        set_sysctl("ipv4/conf/lan/arp_ignore", "1");
        set_sysctl("ipv4/conf/lan/arp_announce", "2");
        set_sysctl("ipv4/conf/lan/accept_local", "1");
        let left = ["10.0.0.7", "2001:db8::7"]
            .map(|text| text.parse().unwrap())
            .map(|address| LinkAddress { index: index("lan"), is_macvlan: false, address })
            .map(Change::Add);
        Netlink::open().unwrap().apply(&left).unwrap();
        assert_eq!(addresses_of("lan").len(), before.1.len() + 2);
        // Not ours.
        ip("link add vrrp4.8 link lan type macvlan mode bridge");
        drop(Watched::new());
        assert_eq!(addresses_of("lan"), before.1);
        let mut links = interfaces();
        links.retain(|name| name != "vrrp4.8");
        assert_eq!(links, before.0);
        assert_eq!(sysctl("ipv4/conf/lan/arp_ignore"), "0");
        assert_eq!(sysctl("ipv4/conf/lan/arp_announce"), "1");
        assert_eq!(sysctl("ipv4/conf/lan/accept_local"), "0");
        assert!(interfaces().contains(&"vrrp4.8".to_owned()));
    });
}

#[test]
fn settings_of_the_interface_stay_until_its_last_virtual_router_has_left() {
    in_namespace(|| {
        let other = |assigned| VirtualAddresses { vrid: 11, ..wanted(&["10.0.0.11"], assigned) };
        set_sysctl("ipv4/conf/lan/arp_ignore", "2");
        let watched = Watched::new();
        assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.1"], false))), Ok(false));
        assert_eq!(watched.set(VirtualRouterId(3), Some(other(false))), Ok(false));
        assert_eq!(sysctl("ipv4/conf/lan/arp_ignore"), "2", "stricter than needed");
        assert_eq!(sysctl("ipv4/conf/lan/arp_announce"), "2");
        assert_eq!(watched.set(GATE, None), Ok(false));
        assert_eq!(sysctl("ipv4/conf/lan/arp_announce"), "2");
        assert!(
            ip("link show dev vrrp4.11").contains("arp_ignore=2 arp_announce=0 accept_local=0")
        );
        assert_eq!(watched.set(VirtualRouterId(3), None), Ok(false));
        assert_eq!(sysctl("ipv4/conf/lan/arp_announce"), "0");
        assert_eq!(sysctl("ipv4/conf/lan/arp_ignore"), "2");
    });
}

#[test]
fn what_others_remove_is_told_and_made_again() {
    in_namespace(|| {
        let watched = Watched::new();
        let assigned = || Some(wanted(&["10.0.0.1", "10.0.0.3"], true));
        let before = wanted(&["10.0.0.1"], true);
        assert_eq!(watched.set(GATE, assigned()), Ok(true));
        for (command, what) in [
            ("address delete 10.0.0.3/32 dev vrrp4.10", "10.0.0.3 was removed from vrrp4.10"),
            ("link set vrrp4.10 down", "vrrp4.10 was set down"),
            ("link delete vrrp4.10", "its interface was removed"),
        ] {
            ip(command);
            let error = watched.told(GATE).unwrap_err();
            assert!(error.starts_with(what), "{error}");
            assert_eq!(watched.set(GATE, assigned()), Ok(true), "after {command}");
            assert!(is_up("vrrp4.10"));
            assert_eq!(addresses_of("vrrp4.10"), ["10.0.0.1/32", "10.0.0.3/32"]);
        }
        // Our own changes are no news.
        assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.1"], false))), Ok(false));
        assert_eq!(watched.set(GATE, assigned()), Ok(true));
        // While it is Backup its macvlan may go unseen.
        assert_eq!(watched.set(GATE, Some(wanted(&["10.0.0.1"], false))), Ok(false));
        ip("link delete vrrp4.10");
        assert_eq!(watched.set(GATE, assigned()), Ok(true));
        assert_eq!(addresses_of("vrrp4.10"), ["10.0.0.1/32", "10.0.0.3/32"]);
        // With the interface below everything goes.
        ip("link delete lan");
        assert!(watched.told(GATE).unwrap_err().starts_with("its interface was removed"));
        let mut gone = VirtualAddresses { interface: 4711, ..before };
        assert!(watched.set(GATE, Some(gone.clone())).unwrap_err().starts_with("lan: "));
        gone.assigned = false;
        assert!(watched.set(GATE, Some(gone)).is_err());
        assert_eq!(watched.set(GATE, None), Ok(false));
    });
}
