use crate::types::Time;

/// Which session is to be looked at next: a heap with one entry for each, whose place is known. So an entry moves
/// where a set of deadlines would remove and insert, and only a new session costs memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    /// A binary heap: no entry is before that at `(n − 1) / 2`. Equal times go by slot, so that the order is the same
    /// in every run.
    heap: Vec<(Time, usize)>,
    /// Where a slot stands in the heap.
    places: Vec<Option<usize>>,
}

impl Agenda {
    /// The earliest entry.
    pub fn next(&self) -> Option<(Time, usize)> {
        self.heap.first().copied()
    }

    /// Enters, moves or takes away a slot.
    pub fn set(&mut self, slot: usize, at: Option<Time>) {
        if self.places.len() <= slot {
            self.places.resize(slot + 1, None);
        }
        match (self.places[slot], at) {
            (None, None) => {}
            (None, Some(at)) => {
                self.heap.push((at, slot));
                self.rise(self.heap.len() - 1);
            }
            (Some(place), Some(at)) => {
                let before = std::mem::replace(&mut self.heap[place], (at, slot));
                if at < before.0 { self.rise(place) } else { self.sink(place) }
            }
            (Some(place), None) => {
                self.heap.swap_remove(place);
                self.places[slot] = None;
                if let Some((_, moved)) = self.heap.get(place) {
                    self.places[*moved] = Some(place);
                    self.rise(place);
                    self.sink(place);
                }
            }
        }
    }

    /// Moves a slot forward, or enters it. What would be later stays as it is.
    pub fn hasten(&mut self, slot: usize, at: Time) {
        let place = self.places.get(slot).copied().flatten();
        if place.is_none_or(|place| at < self.heap[place].0) {
            self.set(slot, Some(at));
        }
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 && self.heap[place] < self.heap[(place - 1) / 2] {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        self.note(place);
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children = 2 * place + 1..self.heap.len().min(2 * place + 3);
            let least = children.min_by_key(|child| self.heap[*child]);
            let Some(child) = least.filter(|child| self.heap[*child] < self.heap[place]) else {
                break;
            };
            self.swap(place, child);
            place = child;
        }
        self.note(place);
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note(a);
        self.note(b);
    }

    fn note(&mut self, place: usize) {
        if let Some((_, slot)) = self.heap.get(place) {
            self.places[*slot] = Some(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Rng;

    #[test]
    fn the_earliest_is_next_whatever_was_moved_or_taken_away() {
        let mut rng = Rng::new(1);
        let mut agenda = Agenda::default();
        let mut plain = [None; 20];
        for _ in 0..20_000 {
            let slot = rng.below(20) as usize;
            let at = (!rng.chance(20)).then(|| Time::from_micros(rng.below(50)));
            agenda.set(slot, at);
            plain[slot] = at;
            let entries = plain.iter().zip(0..).filter_map(|(at, slot)| Some(((*at)?, slot)));
            assert_eq!(agenda.next(), entries.min());
        }
    }
}
