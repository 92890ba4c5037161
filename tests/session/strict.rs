//! A simultaneous open with a neighbour that keeps to the letter of RFC 4271 §6.8: it lets both
//! connections go on, and chooses when the second OPEN comes.

use std::collections::{BTreeSet, VecDeque};

use shunt::bgp::{Action, Event, State};
use shunt::types::RouterId;
use shunt::wire::bgp::{Message, Notification, Open};

use super::bench::{Bench, address, facts, settings, their_open};

/// Two connections, the one we dial and the one the neighbour dials, as seen from both ends.
#[derive(Clone, Debug)]
struct Pair {
    ours: Bench,
    /// The neighbour's state of each connection; `None` while or once it is not there.
    theirs: [Option<State>; 2],
    their_open: Open,
    /// Whether the connection that they dialled would survive.
    they_win: bool,
    dialling: bool,
    /// By connection: our name for it, what is on the way to us, what is on the way to them.
    links: [Link; 2],
    downs: usize,
}

#[derive(Clone, Debug, Default)]
struct Link {
    id: Option<shunt::bgp::ConnectionId>,
    to_us: VecDeque<Item>,
    to_them: VecDeque<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Up,
    Message(Message),
    Fin,
}

const OURS: usize = 0;

impl Pair {
    fn new(their_id: u32) -> Pair {
        let mut pair = Pair {
            ours: Bench::new(settings(1)),
            theirs: [None; 2],
            their_open: Open { router_id: RouterId::from_bits(their_id), ..their_open() },
            they_win: RouterId::from_bits(their_id) > settings(1).router_id,
            dialling: false,
            links: [Link::default(), Link::default()],
            downs: 0,
        };
        for link in &mut pair.links {
            link.to_us.push_back(Item::Up);
            link.to_them.push_back(Item::Up);
        }
        let actions = pair.ours.handle(Event::Started);
        pair.carry_out(actions);
        pair
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Dial => self.dialling = true,
                Action::StopDialling => {
                    self.dialling = false;
                    self.links[OURS].to_us.clear();
                    self.links[OURS].to_them.push_back(Item::Fin);
                }
                Action::Send { connection, bytes } => {
                    let message = Message::parse(&bytes, &facts()).unwrap();
                    for link in self.links.iter_mut().filter(|l| l.id == Some(connection)) {
                        link.to_them.push_back(Item::Message(message.clone()));
                    }
                }
                Action::Close { connection } => {
                    for link in self.links.iter_mut().filter(|l| l.id == Some(connection)) {
                        link.to_us.clear();
                        link.to_them.push_back(Item::Fin);
                    }
                }
                Action::Down { .. } => self.downs += 1,
                _ => {}
            }
        }
    }

    fn we_get(&mut self, which: usize) {
        let Some(item) = self.links[which].to_us.pop_front() else { return };
        let actions = match (item, self.links[which].id) {
            (Item::Up, _) => {
                let (id, actions) = if which == OURS {
                    self.dialling = false;
                    self.ours.dial()
                } else {
                    self.ours.accept()
                };
                self.links[which].id = Some(id);
                actions
            }
            (Item::Message(message), Some(connection)) => self.ours.receive(connection, message),
            (Item::Fin, Some(connection)) => {
                self.links[which].to_them.clear();
                self.ours.handle(Event::Closed { connection, reason: "end of file".to_owned() })
            }
            // We gave the dial up.
            (_, None) => return,
        };
        self.carry_out(actions);
    }

    fn they_get(&mut self, which: usize) {
        let Some(item) = self.links[which].to_them.pop_front() else { return };
        let other = 1 - which;
        match (item, self.theirs[which]) {
            (Item::Up, _) if self.theirs[other] == Some(State::Established) => {
                self.they_close(which);
            }
            (Item::Up, _) => {
                self.theirs[which] = Some(State::OpenSent);
                self.they_send(which, Message::Open(self.their_open.clone()));
            }
            (Item::Message(Message::Open(_)), Some(State::OpenSent)) => {
                let this_wins = (which != OURS) == self.they_win;
                match self.theirs[other] {
                    Some(State::Established) => return self.they_close(which),
                    Some(State::OpenConfirm) if this_wins => self.they_close(other),
                    Some(State::OpenConfirm) => return self.they_close(which),
                    _ => {}
                }
                self.theirs[which] = Some(State::OpenConfirm);
                self.they_send(which, Message::Keepalive);
            }
            (Item::Message(Message::Keepalive), Some(State::OpenConfirm)) => {
                self.theirs[which] = Some(State::Established);
                if self.theirs[other].is_some() {
                    self.they_close(other);
                }
            }
            (Item::Message(Message::Notification(_)) | Item::Fin, Some(_)) => {
                if self.theirs[which] == Some(State::Established) {
                    self.downs += 1;
                }
                self.theirs[which] = None;
                self.links[which].to_them.clear();
                self.links[which].to_us.push_back(Item::Fin);
            }
            (Item::Message(message), Some(state)) => panic!("{message:?} in {state:?}"),
            (_, None) => {}
        }
    }

    fn they_send(&mut self, which: usize, message: Message) {
        self.links[which].to_us.push_back(Item::Message(message));
    }

    fn they_close(&mut self, which: usize) {
        self.they_send(which, Message::Notification(Notification::connection_collision()));
        self.links[which].to_us.push_back(Item::Fin);
        self.links[which].to_them.clear();
        self.theirs[which] = None;
    }
}

#[test]
fn a_strict_neighbour_gets_one_session_in_every_order() {
    // Ids below and above ours.
    for their_id in [1, u32::MAX] {
        let (mut seen, mut outcomes) = (BTreeSet::new(), 0);
        let mut open = vec![Pair::new(their_id)];
        while let Some(pair) = open.pop() {
            let mut stuck = true;
            for which in [0, 1] {
                for to_us in [true, false] {
                    let link = &pair.links[which];
                    if (if to_us { &link.to_us } else { &link.to_them }).is_empty() {
                        continue;
                    }
                    stuck = false;
                    let mut next = pair.clone();
                    if to_us {
                        next.we_get(which)
                    } else {
                        next.they_get(which)
                    }
                    if seen.insert(format!("{next:?}")) {
                        open.push(next);
                    }
                }
            }
            if stuck {
                outcomes += 1;
                let established = |state: &&Option<State>| **state == Some(State::Established);
                assert_eq!(pair.ours.peer.state(), State::Established, "{pair:#?}");
                assert_eq!(pair.theirs.iter().filter(established).count(), 1, "{pair:#?}");
                assert_eq!(pair.theirs.iter().flatten().count(), 1, "{pair:#?}");
                assert_eq!(pair.downs, 0, "{pair:#?}");
                assert_eq!(pair.ours.peer.session().unwrap().remote, address(2));
            }
        }
        assert!(outcomes > 1);
    }
}
