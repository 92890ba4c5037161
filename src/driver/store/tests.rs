use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

use super::*;
use crate::driver::Exit;
use crate::group::{Intent, Order, Target};
use crate::types::{Preference, Rng, Wall};

/// A disk that keeps what was synced, and of the rest what a power loss leaves: some sectors new, some
/// old, some zero, some garbage. Clones are the same disk.
#[derive(Clone, Default)]
struct FakeDisk(Rc<RefCell<Files>>);

#[derive(Default)]
struct Files {
    seen: [Vec<u8>; 2],
    durable: [Vec<u8>; 2],
    aside: usize,
}

const SECTOR: usize = 512;

impl Disk for FakeDisk {
    fn read(&self, slot: Slot) -> io::Result<Vec<u8>> {
        Ok(self.0.borrow().seen[slot as usize].clone())
    }

    fn create(&mut self, _slot: Slot) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        let file = &mut self.0.borrow_mut().seen[slot as usize];
        file.clear();
        file.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, slot: Slot) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        files.durable[slot as usize] = files.seen[slot as usize].clone();
        Ok(())
    }

    fn set_aside(&mut self, slot: Slot) -> io::Result<String> {
        let mut files = self.0.borrow_mut();
        files.seen[slot as usize].clear();
        files.durable[slot as usize].clear();
        files.aside += 1;
        Ok(format!("aside-{}", files.aside))
    }
}

impl FakeDisk {
    fn lose_power(&self, rng: &mut Rng) {
        let mut files = self.0.borrow_mut();
        for slot in 0..2 {
            let (seen, durable) = (files.seen[slot].clone(), files.durable[slot].clone());
            if seen == durable {
                continue;
            }
            let mut left = durable.clone();
            // The new size may have become durable or not, whatever became of the data.
            if rng.chance(50) {
                left.resize(seen.len(), 0);
            }
            for at in (0..left.len()).step_by(SECTOR) {
                let end = (at + SECTOR).min(left.len());
                match rng.below(4) {
                    0 => {}
                    1 => left[at..end].fill(0),
                    2 if rng.chance(20) => left[at..end].fill_with(|| rng.next_u64() as u8),
                    _ => {
                        let end = end.min(seen.len()).max(at.min(seen.len()));
                        let at = at.min(end);
                        left[at..end].copy_from_slice(&seen[at..end]);
                    }
                }
            }
            files.seen[slot] = left.clone();
            files.durable[slot] = left;
        }
    }
}

/// Different for every number, and of different length.
fn intents(number: u64) -> Intents {
    let mut intents = Intents::default();
    for index in 0..=number * 7 % 40 {
        intents.insert(Intent {
            target: Target::Group(format!("group-{index}")),
            order: Order::Prefer(Preference(number as u8)),
            owner: "alice (uid 1000)".to_owned(),
            reason: Some(format!("order {number}")),
            since: Wall::from_micros(1_795_298_296_000_250 + number as i64),
            expires: None,
        });
    }
    intents
}

#[test]
fn no_acknowledged_order_is_lost_when_the_power_goes() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let disk = FakeDisk::default();
        let (mut store, _) = Store::open(disk.clone()).unwrap();
        let mut number = 0;
        let mut acknowledged = Intents::default();
        for _life in 0..5 {
            if rng.chance(50) {
                store.prepare().unwrap();
            }
            for _ in 0..rng.below(6) {
                number += 1;
                store.write(&intents(number).to_text()).unwrap();
                acknowledged = intents(number);
            }
            // One more is on its way when the power goes: written, not synced, not answered.
            number += 1;
            let slot = store.current.other();
            let bytes = file(store.sequence + 1, &intents(number).to_text()).unwrap();
            store.disk.write(slot, &bytes).unwrap();
            disk.lose_power(&mut rng);

            let restored;
            (store, restored) = Store::open(disk.clone()).unwrap();
            if restored.intents != acknowledged {
                assert_eq!(restored.intents, intents(number), "seed {seed}: neither old nor new");
                acknowledged = restored.intents;
            }
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_leaves_the_other_one_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Store::open(StateDirectory::open(directory.path()).unwrap()).unwrap();
    let (mut store, _) = open();
    store.write(&intents(1).to_text()).unwrap();
    store.write(&intents(2).to_text()).unwrap();
    drop(store);
    let path = directory.path().join("intents.1");
    let whole = fs::read(&path).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    // Without the last newline the text is still whole.
    for length in (1..text.trim_end().len()).chain([text.trim_end().len()]) {
        fs::write(&path, &whole[..length]).unwrap();
        let (_, restored) = open();
        let cut = length < text.trim_end().len();
        assert_eq!(restored.intents, intents(if cut { 1 } else { 2 }), "cut at {length}");
        assert_eq!(restored.damage.len(), usize::from(cut), "cut at {length}");
    }
    let aside = fs::read_dir(directory.path())
        .unwrap()
        .filter(|entry| {
            entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("intents.damaged-")
        })
        .count();
    assert!(aside >= 1, "nothing was set aside");
}

#[test]
fn with_both_files_damaged_the_base_is_in_force_and_it_is_said() {
    let disk = FakeDisk::default();
    let (mut store, _) = Store::open(disk.clone()).unwrap();
    store.write(&intents(1).to_text()).unwrap();
    store.write(&intents(2).to_text()).unwrap();
    for file in &mut disk.0.borrow_mut().seen {
        file[40] ^= 1;
    }
    let (mut store, restored) = Store::open(disk.clone()).unwrap();
    assert_eq!(restored.intents, Intents::default());
    assert_eq!(restored.damage.len(), 2);
    assert!(
        restored.damage[0].starts_with("intents.0 is damaged (")
            && restored.damage[0].contains("was set aside as aside-1: no order"),
        "{}",
        restored.damage[0]
    );
    store.write(&intents(3).to_text()).unwrap();
    assert_eq!(Store::open(disk).unwrap().1.intents, intents(3));
}

#[test]
fn a_shorter_text_leaves_nothing_of_a_longer_one() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, restored) =
        Store::open(StateDirectory::open(directory.path()).unwrap()).unwrap();
    assert_eq!(restored, Restored { intents: Intents::default(), damage: Vec::new() });
    store.prepare().unwrap();
    for number in [5, 6, 1, 2, 3] {
        store.write(&intents(number).to_text()).unwrap();
    }
    store.write(&Intents::default().to_text()).unwrap();
    drop(store);
    let (_, restored) = Store::open(StateDirectory::open(directory.path()).unwrap()).unwrap();
    assert_eq!(restored, Restored { intents: Intents::default(), damage: Vec::new() });
}

#[test]
fn a_state_directory_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let first = StateDirectory::open(directory.path()).unwrap();
    assert!(matches!(StateDirectory::open(directory.path()), Err(Exit::StateInUse { .. })));
    drop(first);
    StateDirectory::open(directory.path()).unwrap();
}
