use super::reference::{self, INTERFACE, NEIGHBOR};
use super::report::Report;
use super::section::Section;
use super::tracked::Names;

/// `[isolation]`: the upstreams of this node. It is isolated when none of them is up. At least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolation {
    /// Of BGP, by name: up while established.
    pub neighbors: Vec<String>,
    /// By name: up while an OSPF neighbour is Full there.
    pub ospf_interfaces: Vec<String>,
}

pub(super) const KEYS: &[&str] = &["neighbors", "ospf-interfaces"];

impl Isolation {
    pub(super) fn read(
        root: &Section<'_>,
        names: &Names<'_>,
        report: &mut Report<'_>,
    ) -> Option<Isolation> {
        let value = root.value("isolation")?;
        let section = Section::open("[isolation]".to_owned(), value, KEYS, report)?;
        if KEYS.iter().all(|key| !section.has(key)) {
            report
                .at(section.span.clone(), "[isolation] names no upstream")
                .label("this node would never be isolated")
                .help("add a line such as `neighbors = [\"isp-a\", \"isp-b\"]`");
        }
        let neighbors =
            reference::known_list(&section, "neighbors", &NEIGHBOR, &names.neighbors, report);
        let key = "ospf-interfaces";
        let interfaces =
            reference::known_list(&section, key, &INTERFACE, &names.ospf_interfaces, report);
        for interface in interfaces.iter().flatten() {
            names.check_heard(interface.get_ref(), interface.span(), report);
        }
        Some(Isolation {
            neighbors: reference::owned(neighbors),
            ospf_interfaces: reference::owned(interfaces),
        })
    }
}
