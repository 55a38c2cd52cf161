//! The words of the engine: identifiers, digests, references, plans, and the ports between the core and policy.
//!
//! Every other crate speaks in these types; this one does no I/O and knows no crate of ours. A walk:
//! [`digest`] and [`reference`] name content; [`id`] names containers; [`container`] is a parsed request to make one.
//! [`plan`] is the typestate that all plans share. [`storage`], [`network`], [`auth`] and [`lifecycle`] are the four
//! ports towards policy: each a trait, its request values and its plan values, all serialisable, so that a native
//! fake can stand for a plugin in any test and the plugin host can live in a process of its own. [`services`] is the
//! port back: what a plugin may ask of the host; [`state`] is what it keeps. [`error`] is what any of them answers when the answer is no;
//! [`plain`] is how far texts of others may be shown.

pub mod auth;
pub mod container;
pub mod digest;
pub mod error;
pub mod id;
pub mod journal;
pub mod lifecycle;
pub mod network;
pub mod plain;
pub mod plan;
pub mod reference;
pub mod secret;
pub mod services;
pub mod state;
pub mod storage;
