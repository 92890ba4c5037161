//! shuntd as an OSPF router among others.

mod harness;
