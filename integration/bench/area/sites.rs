//! Two sites and a third router between them.

use std::net::Ipv4Addr;

use crate::lab::{Net, Node};
use crate::product::{Product, Role, Router, service};
use crate::watch::Watch;

/// What the third router's kernel sends a service to: the site's end of the link.
pub fn gateway(site: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, if site == 0 { 1 } else { 2 }, 2)
}

/// `dc1` and `dc2` announce the same prefixes, the first with the better metric; each is linked to `core`.
pub struct Sites {
    pub watch: Watch,
    pub sites: [Router; 2],
    pub core: Node,
    _observer: Router,
    /// Last, so that it goes last.
    _net: Net,
}

impl Sites {
    /// Returns when all traffic goes to the first site and the second is heard as well.
    pub fn start(announcer: Product, observer: Product, services: usize) -> Sites {
        let mut net = Net::new();
        let [core, dc1, dc2] = ["core", "dc1", "dc2"].map(|name| net.node(name));
        net.link(&core, &dc1, 1);
        net.link(&core, &dc2, 2);
        // Clients: somewhere behind the core.
        core.address("lo", "192.0.2.1/32");
        let mut watch = Watch::start(&core);
        let role = Role {
            node: core.clone(),
            number: 3,
            links: vec!["dc1", "dc2"],
            loopback: true,
            services: 0,
            metrics: [1, 1],
            verbose: false,
        };
        let _observer = Router::running(observer, role);
        let site = |node: Node, number, metrics| {
            let links = vec!["core"];
            Role { node, number, links, loopback: false, services, metrics, verbose: false }
        };
        let roles = [site(dc1, 1, [2000, 500]), site(dc2, 2, [3000, 1000])];
        let [first, second] = roles.map(|role| Router::prepared(announcer, role));
        let mut sites = [first, second];
        // One after the other shows that both are heard.
        for (number, site) in sites.iter_mut().enumerate().rev() {
            site.start();
            for service in (0..services).map(service) {
                watch.goes(service, Some(gateway(number)));
            }
        }
        Sites { watch, sites, core, _observer, _net: net }
    }
}
