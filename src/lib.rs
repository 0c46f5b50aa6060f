//! The modules, and the direction in which data flows:
//!
//! ```text
//! Source ──▶ Blueprint ──▶ Platform ──▶ Plan ──▶ Changes ──▶ disk
//!            parsed       resolved    rendered  compared
//! ```
//!
//! The modules are listed in dependency order: a module uses only those above it. Everything before
//! `disk` is a pure function of its arguments: no clock, no environment variables, no network, no
//! randomness.
//!
//! A `Spec` is a table as the blueprint sets it, and a variable named `asked` is one value of it; `resolve` makes the final
//! values of them.

// Basic types, used everywhere.
pub mod source;
pub mod words;
pub mod diagnostics;
pub mod syntax;
pub mod validation;
pub mod yaml;
pub mod format;
pub mod shared_values;
pub mod page;
pub mod catalogue;
pub mod certificates;
pub mod rights;

// The foundation of an environment.
pub mod cidr;
pub mod network;
pub mod github;
pub mod dns;
pub mod cluster;
pub mod quotas;
pub mod layer;
pub mod contribution;
pub mod aws;
pub mod database;
pub mod foundation;
pub mod entrance;

// What runs in an environment, and its files.
pub mod components;
pub mod program;
pub mod application;
pub mod logins;
pub mod repository;
pub mod infrastructure;
pub mod manifests;
pub mod review;

// From a blueprint to the disk.
pub mod files;
pub mod blueprint;
pub mod platform;
pub mod plan;
pub mod renames;
pub mod lock;
pub mod merge;
pub mod compare;
pub mod difference;
pub mod disk;
pub mod checkouts;
pub mod cli;
