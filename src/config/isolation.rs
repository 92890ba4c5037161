/// `[isolation]`: the upstreams of this node. It is isolated when none of them is up. At least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolation {
    /// Of BGP, by name: up while established.
    pub neighbors: Vec<String>,
    /// By name: up while an OSPF neighbour is Full there.
    pub ospf_interfaces: Vec<String>,
}
