//! The tables that are sent: made from a seed, alike in size and shape to the Internet's.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use shunt::types::Rng;

use crate::speaker::{UPDATE, message_of};

/// Octets that are written at once, about.
const PIECE: usize = 1 << 16;

/// How many prefixes share an attribute set, each as likely: eight on average.
const SIZES: [usize; 11] = [1, 1, 1, 2, 2, 4, 6, 8, 12, 20, 31];

/// Of a thousand prefixes so many have this length, about as in the Internet of the 2020s.
const LENGTHS: [(u64, u8); 10] = [
    (590, 24),
    (100, 23),
    (120, 22),
    (55, 21),
    (50, 20),
    (35, 19),
    (20, 18),
    (10, 17),
    (15, 16),
    (5, 14),
];

/// Blocks in which something is reserved, or has a meaning in the networks of the benchmark.
const AVOIDED: [u8; 7] = [10, 100, 127, 169, 172, 192, 198];

/// A prefix as it stands in an UPDATE: the length, and as many octets of the address as it takes.
pub type Nlri = Vec<u8>;

/// What is announced: prefixes by the attribute set that they share. Of one seed there is one table of each size.
pub struct Table {
    pub sets: Vec<Vec<Nlri>>,
}

/// Who announces a table, and how.
#[derive(Clone, Copy)]
pub struct Sender {
    pub address: Ipv4Addr,
    pub asn: u16,
    /// ASes in the path, its own among them: four or five.
    pub hops: u8,
    /// Another variant has the same prefixes with other attributes.
    pub variant: u8,
}

impl Table {
    pub fn new(prefixes: usize) -> Table {
        let mut rng = Rng::new(1);
        let mut taken = HashSet::new();
        let mut sets = Vec::new();
        while taken.len() < prefixes {
            let size = SIZES[rng.below(SIZES.len() as u64) as usize].min(prefixes - taken.len());
            let mut set = Vec::with_capacity(size);
            let mut last: Option<(u32, u8)> = None;
            while set.len() < size {
                // Half of an origin's prefixes lie side by side.
                let (address, length) = match last {
                    Some((address, length)) if rng.chance(50) => {
                        (address.wrapping_add(1 << (32 - length)), length)
                    }
                    _ => random(&mut rng),
                };
                last = Some((address, length));
                if reserved(address) || !taken.insert((address, length)) {
                    last = None;
                    continue;
                }
                let octets = usize::from(length).div_ceil(8);
                let mut nlri = vec![length];
                nlri.extend(&address.to_be_bytes()[..octets]);
                set.push(nlri);
            }
            sets.push(set);
        }
        Table { sets }
    }

    /// The set of each prefix.
    pub fn index(&self) -> HashMap<&[u8], u32> {
        let all = (0..).zip(&self.sets);
        all.flat_map(|(set, all)| all.iter().map(move |nlri| (nlri.as_slice(), set))).collect()
    }

    /// The UPDATEs, one for each set, in pieces of whole messages.
    pub fn updates(&self, sender: Sender) -> Vec<Vec<u8>> {
        let bodies = (0..).zip(&self.sets).map(|(set, all)| {
            let attributes = attributes(sender, set);
            let mut body = vec![0, 0];
            body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
            body.extend(attributes);
            body.extend(all.iter().flatten());
            body
        });
        pieces(bodies)
    }
}

fn pieces(bodies: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut out = vec![Vec::new()];
    for body in bodies {
        if out.last().is_some_and(|piece| piece.len() > PIECE) {
            out.push(Vec::new());
        }
        out.last_mut().expect("there is a piece").extend(message_of(UPDATE, &body));
    }
    out
}

fn random(rng: &mut Rng) -> (u32, u8) {
    let mut drawn = rng.below(LENGTHS.iter().map(|(weight, _)| weight).sum());
    let mut length = 24;
    for (weight, candidate) in LENGTHS {
        if drawn < weight {
            length = candidate;
            break;
        }
        drawn -= weight;
    }
    let address = rng.next_u64() as u32;
    (address & (u32::MAX << (32 - length)), length)
}

fn reserved(address: u32) -> bool {
    let [first, ..] = address.to_be_bytes();
    !(1..224).contains(&first) || AVOIDED.contains(&first)
}

fn attributes(sender: Sender, set: u32) -> Vec<u8> {
    // Spread over the numbers of public ASes.
    let salted = set.wrapping_add(u32::from(sender.variant) << 24);
    let hop = |salt: u32| 1000 + salted.wrapping_mul(2_654_435_761).rotate_left(salt) % 60_000;
    let further = (1..u32::from(sender.hops)).map(|position| hop(8 * position + 3));
    let path: Vec<u32> = std::iter::once(sender.asn.into()).chain(further).collect();
    let mut out = vec![0x40, 1, 1, 0, 0x40, 2, 2 + 4 * sender.hops, 2, sender.hops];
    out.extend(path.iter().flat_map(|asn| asn.to_be_bytes()));
    out.extend([0x40, 3, 4]);
    out.extend(sender.address.octets());
    // The communities number the set, so that each differs from all others and is known again.
    out.extend([0xc0, 8, 8]);
    let upper = set >> 16 | u32::from(sender.variant) << 8;
    for (whose, number) in [(LOWER, set & 0xffff), (UPPER, upper)] {
        out.extend(whose.to_be_bytes());
        out.extend((number as u16).to_be_bytes());
    }
    out
}

/// The upper halves of the two communities that number a set.
pub const LOWER: u16 = 64001;
pub const UPPER: u16 = 64002;
