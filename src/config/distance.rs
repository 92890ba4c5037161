/// `[distance]`: which protocol's route to a prefix is taken. The lowest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distances {
    pub ebgp: u8,
    pub ibgp: u8,
    pub ospf: u8,
}

impl Default for Distances {
    fn default() -> Distances {
        Distances { ebgp: 20, ibgp: 200, ospf: 110 }
    }
}
