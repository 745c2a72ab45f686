//! The root configuration: composes the sections, validates across them, prints schema and reference.
