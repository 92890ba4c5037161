//! The health core on a virtual clock: every test says what a service does, and looks at what is thought of it and when.

mod agent;
mod backends;
mod damping;
mod many;
mod memory;
mod random;
mod states;
mod timing;
mod world;
