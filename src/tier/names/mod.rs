//! From a module's file to functions and lines.

pub mod demangle;
