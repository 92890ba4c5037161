//! Whole agents on a virtual clock. Every test names its seeds; a failing one is run again with
//! the same seed and prints the same transcript.

mod announcing;
mod area;
mod bfd;
mod collecting;
mod determinism;
mod faults;
mod firewalls;
mod gateway;
mod health;
mod health_guards;
mod health_reading;
mod ledger;
mod ospf;
mod placements;
mod policies;
mod reading;
mod refresh;
mod restarting;
mod selecting;
mod survivor;
mod switch_plan;
mod switch_rules;
mod switch_service;
mod switching;
mod switching_large;
mod switching_random;
mod tables;
mod topology;
mod validation;
