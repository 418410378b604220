//! All SQL of secrets.

pub mod secrets;
pub mod served;

/// The table and column whose cells hold the sealed values.
pub const SEALED_IN: (&str, &str) = ("secrets", "sealed_value");
