//! What routes are to lead to, and hops that they have for themselves: each once, by a small number.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use super::exit::{Exit, Fate, Leg};

/// Numbers of what is counted.
pub(super) type Number = NonZeroU32;

/// Values that entries share. A number is given to another value when nobody has the first any more.
#[derive(Clone)]
pub(super) struct Shared<T> {
    slots: Vec<Slot<T>>,
    free: Vec<Number>,
    numbers: BTreeMap<Arc<T>, Number>,
}

#[derive(Clone)]
struct Slot<T> {
    value: Arc<T>,
    uses: usize,
}

impl<T: Ord> Shared<T> {
    pub fn new() -> Shared<T> {
        Shared { slots: Vec::new(), free: Vec::new(), numbers: BTreeMap::new() }
    }

    /// The number of a value, with one more use.
    pub fn acquire(&mut self, value: T) -> Option<Number> {
        if let Some(number) = self.numbers.get(&value).copied() {
            self.slot_mut(number)?.uses += 1;
            return Some(number);
        }
        let slot = Slot { value: Arc::new(value), uses: 1 };
        let shared = Arc::clone(&slot.value);
        let number = match self.free.pop() {
            Some(number) => {
                *self.slot_mut(number)? = slot;
                number
            }
            None => {
                self.slots.push(slot);
                Number::new(u32::try_from(self.slots.len()).ok()?)?
            }
        };
        self.numbers.insert(shared, number);
        Some(number)
    }

    pub fn release(&mut self, number: Number) {
        let Some(slot) = self.slot_mut(number) else { return };
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses == 0 {
            let value = Arc::clone(&slot.value);
            self.free.push(number);
            if self.numbers.get(&value) == Some(&number) {
                self.numbers.remove(&value);
            }
        }
    }

    pub fn get(&self, number: Number) -> Option<&Arc<T>> {
        self.slots.get(number.get() as usize - 1).map(|slot| &slot.value)
    }

    fn slot_mut(&mut self, number: Number) -> Option<&mut Slot<T>> {
        self.slots.get_mut(number.get() as usize - 1)
    }
}

impl Shared<Exit> {
    /// Exits in use after the fate of their legs, by what they were; `more` are such that only routes in the kernel use.
    /// Two may have become one; they keep their numbers.
    pub fn rewrite(
        &mut self,
        more: Vec<Arc<Exit>>,
        fate: &impl Fn(&Leg) -> Fate,
    ) -> BTreeMap<Arc<Exit>, Arc<Exit>> {
        let mut rewritten = BTreeMap::new();
        let used =
            self.slots.iter().filter(|slot| slot.uses > 0).map(|slot| Arc::clone(&slot.value));
        for exit in used.chain(more).collect::<BTreeSet<Arc<Exit>>>() {
            if let Some(new) = exit.rewritten(fate) {
                rewritten.insert(exit, Arc::new(new));
            }
        }
        for (at, slot) in self.slots.iter_mut().enumerate().filter(|(_, slot)| slot.uses > 0) {
            let Some(new) = rewritten.get(&slot.value) else { continue };
            let number = u32::try_from(at + 1).ok().and_then(Number::new);
            if self.numbers.get(&slot.value).copied() == number {
                self.numbers.remove(&slot.value);
            }
            slot.value = Arc::clone(new);
            if let Some(number) = number {
                self.numbers.entry(Arc::clone(new)).or_insert(number);
            }
        }
        rewritten
    }
}
