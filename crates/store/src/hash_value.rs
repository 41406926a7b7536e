//! Hashes: fields with values packed inside the entry, and the big form, behind one interface.
