use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, BytesMut};

use crate::types::Asn;

/// AS_PATH with four-octet numbers: where the session has only two, it has been merged with
/// AS4_PATH (RFC 6793 §4.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsPath(pub Box<[Segment]>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    Set(Box<[Asn]>),
    Sequence(Box<[Asn]>),
    /// RFC 5065; from an external neighbour an error.
    ConfedSequence(Box<[Asn]>),
    ConfedSet(Box<[Asn]>),
}

/// Why a text is not an AS path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an AS path: written like 64496 64497 {{64498,64499}}")]
pub struct AsPathError(String);

/// How many octets an AS number takes in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Two,
    Four,
}

impl AsPath {
    /// A path of one AS_SEQUENCE; empty if there are no numbers.
    pub fn sequence(numbers: impl IntoIterator<Item = Asn>) -> AsPath {
        let numbers: Box<[Asn]> = numbers.into_iter().collect();
        AsPath(if numbers.is_empty() {
            Box::default()
        } else {
            Box::new([Segment::Sequence(numbers)])
        })
    }

    /// Length for the decision: a set counts one (RFC 4271 §9.1.2.2), confederation segments none
    /// (RFC 5065 §5.3).
    pub fn length(&self) -> usize {
        self.0
            .iter()
            .map(|segment| match segment {
                Segment::Sequence(numbers) => numbers.len(),
                Segment::Set(_) => 1,
                Segment::ConfedSequence(_) | Segment::ConfedSet(_) => 0,
            })
            .sum()
    }

    /// Every number in the path, sets and confederations included.
    pub fn numbers(&self) -> impl Iterator<Item = Asn> + '_ {
        self.0.iter().flat_map(|segment| segment.numbers().iter().copied())
    }

    pub fn contains(&self, asn: Asn) -> bool {
        self.numbers().any(|number| number == asn)
    }

    /// The neighbouring AS: the first number, if the path begins with a sequence.
    pub fn first(&self) -> Option<Asn> {
        match self.0.first() {
            Some(Segment::Sequence(numbers)) => numbers.first().copied(),
            _ => None,
        }
    }

    /// The AS where the route begins: the last number, if the path ends in a sequence (RFC 6811 §2).
    pub fn origin(&self) -> Option<Asn> {
        match self.0.last() {
            Some(Segment::Sequence(numbers)) => numbers.last().copied(),
            _ => None,
        }
    }

    /// Who originated the route, for a speaker in AS `own` (RFC 6811 §2); `None` if the path ends with a set.
    pub fn origin_for(&self, own: Asn) -> Option<Asn> {
        match self.0.last() {
            Some(Segment::Sequence(numbers)) => numbers.last().copied(),
            Some(Segment::Set(_)) => None,
            None | Some(Segment::ConfedSequence(_) | Segment::ConfedSet(_)) => Some(own),
        }
    }

    /// The path with `asn` put in front `count` times (RFC 4271 §5.1.2). A sequence holds at most
    /// 255 numbers.
    #[must_use]
    pub fn prepended(&self, asn: Asn, count: usize) -> AsPath {
        if count == 0 {
            return self.clone();
        }
        let mut segments: Vec<Segment> = Vec::with_capacity(self.0.len() + 1);
        let mut front = vec![asn; count];
        let rest = match self.0.split_first() {
            Some((Segment::Sequence(numbers), rest)) if numbers.len() + count <= 255 => {
                front.extend_from_slice(numbers);
                rest
            }
            _ => &self.0,
        };
        segments.extend(front.chunks(255).map(|chunk| Segment::Sequence(chunk.into())));
        segments.extend_from_slice(rest);
        AsPath(segments.into())
    }

    pub(super) fn has_confederation(&self) -> bool {
        self.0.iter().any(Segment::is_confederation)
    }

    /// Reads the value of AS_PATH or AS4_PATH; the error says what is wrong (RFC 7606 §7.2).
    pub(super) fn read(mut value: &[u8], width: Width) -> Result<AsPath, &'static str> {
        let octets = width.octets();
        let mut segments = Vec::with_capacity(1);
        while let [kind, count, rest @ ..] = value {
            let count = usize::from(*count);
            if count == 0 {
                return Err("has a segment without AS numbers");
            }
            let Some((numbers, rest)) = rest.split_at_checked(count * octets) else {
                return Err("has a segment that runs past its end");
            };
            let numbers = match width {
                Width::Two => numbers.chunks_exact(2).map(|n| Asn(big_endian(n))).collect(),
                Width::Four => numbers.chunks_exact(4).map(|n| Asn(big_endian(n))).collect(),
            };
            segments.push(match kind {
                1 => Segment::Set(numbers),
                2 => Segment::Sequence(numbers),
                3 => Segment::ConfedSequence(numbers),
                4 => Segment::ConfedSet(numbers),
                _ => return Err("has a segment of an unknown type"),
            });
            value = rest;
        }
        if value.is_empty() {
            Ok(AsPath(segments.into()))
        } else {
            Err("has a stray octet behind its last segment")
        }
    }

    /// Appends the attribute's value. Segments over 255 numbers are divided.
    pub(super) fn write(&self, width: Width, out: &mut BytesMut) {
        for segment in &self.0 {
            for chunk in segment.numbers().chunks(255) {
                out.put_u8(segment.kind());
                out.put_u8(u8::try_from(chunk.len()).unwrap_or(u8::MAX));
                for number in chunk {
                    match width {
                        Width::Two => out.put_u16(number.two_octets()),
                        Width::Four => out.put_u32(number.0),
                    }
                }
            }
        }
    }

    /// Octets that [`AsPath::write`] appends.
    pub(super) fn written_length(&self, width: Width) -> usize {
        let headers: usize = self.0.iter().map(|s| s.numbers().len().div_ceil(255) * 2).sum();
        headers + self.numbers().count() * width.octets()
    }

    /// The AS4_PATH that goes with this path on a two-octet session, if it needs one: all of it
    /// without confederation segments (RFC 6793 §4.2.2).
    pub(super) fn as4_path(&self) -> Option<AsPath> {
        self.numbers().any(|number| number.0 > u32::from(u16::MAX)).then(|| self.unconfederated())
    }

    pub(super) fn unconfederated(&self) -> AsPath {
        AsPath(self.0.iter().filter(|segment| !segment.is_confederation()).cloned().collect())
    }

    /// The real path, from an AS_PATH of two octets and its AS4_PATH (RFC 6793 §4.2.3): the last
    /// numbers come from AS4_PATH, what old speakers put in front of them from AS_PATH.
    pub(super) fn merged(self, as4: &AsPath) -> AsPath {
        // Old speakers may have dropped or replaced the front of the path, never lengthened
        // AS4_PATH: a longer one is not to be trusted.
        let Some(mut lead) = self.length().checked_sub(as4.length()) else {
            return self;
        };
        let mut segments: Vec<Segment> = Vec::with_capacity(self.0.len());
        for segment in self.0 {
            match segment {
                Segment::ConfedSequence(_) | Segment::ConfedSet(_) => segments.push(segment),
                _ if lead == 0 => break,
                Segment::Sequence(numbers) => {
                    let taken = lead.min(numbers.len());
                    lead -= taken;
                    segments.push(Segment::Sequence(numbers.iter().take(taken).copied().collect()));
                }
                Segment::Set(_) => {
                    lead -= 1;
                    segments.push(segment);
                }
            }
        }
        let mut tail = as4.0.iter();
        if let (Some(Segment::Sequence(front)), [Segment::Sequence(back), ..]) =
            (segments.last_mut(), &*as4.0)
            && front.len() + back.len() <= 255
        {
            *front = front.iter().chain(back).copied().collect();
            tail.next();
        }
        segments.extend(tail.cloned());
        AsPath(segments.into())
    }
}

impl Segment {
    fn numbers(&self) -> &[Asn] {
        match self {
            Segment::Set(numbers)
            | Segment::Sequence(numbers)
            | Segment::ConfedSequence(numbers)
            | Segment::ConfedSet(numbers) => numbers,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Segment::Set(_) => 1,
            Segment::Sequence(_) => 2,
            Segment::ConfedSequence(_) => 3,
            Segment::ConfedSet(_) => 4,
        }
    }

    fn is_confederation(&self) -> bool {
        matches!(self, Segment::ConfedSequence(_) | Segment::ConfedSet(_))
    }
}

impl Width {
    fn octets(self) -> usize {
        match self {
            Width::Two => 2,
            Width::Four => 4,
        }
    }
}

fn big_endian(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet))
}

/// `64500 64501 {64502,64503}`; confederation segments in `(…)` and `[…]`. Empty for a path of our
/// own AS.
impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            let (open, separator, close) = match segment {
                Segment::Sequence(_) => ("", " ", ""),
                Segment::Set(_) => ("{", ",", "}"),
                Segment::ConfedSequence(_) => ("(", " ", ")"),
                Segment::ConfedSet(_) => ("[", ",", "]"),
            };
            f.write_str(open)?;
            for (index, number) in segment.numbers().iter().enumerate() {
                if index > 0 {
                    f.write_str(separator)?;
                }
                number.fmt(f)?;
            }
            f.write_str(close)?;
        }
        Ok(())
    }
}

/// As it is displayed, without confederation segments.
impl FromStr for AsPath {
    type Err = AsPathError;

    fn from_str(text: &str) -> Result<AsPath, AsPathError> {
        let error = || AsPathError(text.to_owned());
        let number = |word: &str| word.parse::<Asn>().map_err(|_| error());
        let mut segments = Vec::new();
        let mut sequence: Vec<Asn> = Vec::new();
        for word in text.split_whitespace() {
            match word.strip_prefix('{') {
                None => sequence.push(number(word)?),
                Some(set) => {
                    if !sequence.is_empty() {
                        segments.push(Segment::Sequence(std::mem::take(&mut sequence).into()));
                    }
                    let members = set.strip_suffix('}').ok_or_else(error)?.split(',');
                    segments.push(Segment::Set(members.map(number).collect::<Result<_, _>>()?));
                }
            }
        }
        if !sequence.is_empty() {
            segments.push(Segment::Sequence(sequence.into()));
        }
        Ok(AsPath(segments.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(segments: &[(u8, &[u32])]) -> AsPath {
        let segment = |(kind, numbers): &(u8, &[u32])| {
            let numbers = numbers.iter().copied().map(Asn).collect();
            match kind {
                1 => Segment::Set(numbers),
                2 => Segment::Sequence(numbers),
                3 => Segment::ConfedSequence(numbers),
                _ => Segment::ConfedSet(numbers),
            }
        };
        AsPath(segments.iter().map(segment).collect())
    }

    #[test]
    fn display_names_every_kind_of_segment() {
        let path = path(&[(3, &[65001, 65002]), (4, &[65003]), (2, &[1, 70000]), (1, &[5, 6])]);
        assert_eq!(path.to_string(), "(65001 65002) [65003] 1 70000 {5,6}");
        assert_eq!(AsPath::default().to_string(), "");
    }

    #[test]
    fn the_origin_is_the_last_of_a_sequence() {
        let own = Asn(9);
        assert_eq!(path(&[(2, &[1, 2])]).origin_for(own), Some(Asn(2)));
        assert_eq!(path(&[(2, &[1, 2]), (1, &[3])]).origin_for(own), None);
        assert_eq!(path(&[(2, &[1]), (3, &[3])]).origin_for(own), Some(own));
        assert_eq!(AsPath::default().origin_for(own), Some(own));
    }

    #[test]
    fn the_as4_path_is_merged_behind_what_old_speakers_prepended() {
        // (AS_PATH, AS4_PATH, merged), after the cases of RFC 6793 §4.2.3.
        let cases = [
            (path(&[(2, &[23456, 65001])]), path(&[(2, &[70000, 65001])]), "70000 65001"),
            (path(&[(2, &[9, 23456, 65001])]), path(&[(2, &[70000, 65001])]), "9 70000 65001"),
            (path(&[(2, &[9, 8]), (1, &[23456])]), path(&[(1, &[70000, 4])]), "9 8 {70000,4}"),
            (path(&[(2, &[9])]), path(&[(2, &[70000, 65001])]), "9"),
            (path(&[(3, &[64512]), (2, &[23456])]), path(&[(2, &[70000])]), "(64512) 70000"),
        ];
        for (old, new, merged) in cases {
            assert_eq!(old.merged(&new).to_string(), merged);
        }
    }

    #[test]
    fn paths_read_as_they_are_written() {
        for text in ["", "64500", "64500 64501 {1,2}", "{7}", "1 {2} 3 4"] {
            assert_eq!(text.parse::<AsPath>().unwrap().to_string(), text);
        }
        for text in ["AS1", "1,2", "{1", "1}", "{}", "-1", "4294967296"] {
            assert!(text.parse::<AsPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_sequence_is_divided_on_the_wire() {
        let long = AsPath::sequence((1..=300).map(Asn));
        let mut out = BytesMut::new();
        long.write(Width::Four, &mut out);
        assert_eq!(out.len(), long.written_length(Width::Four));
        let read = AsPath::read(&out, Width::Four).unwrap();
        assert!(read.numbers().eq(long.numbers()));
        assert_eq!(read.0.len(), 2);
    }
}
