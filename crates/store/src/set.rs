//! Sets: integers or members packed inside the entry, and the big form, behind one interface.
