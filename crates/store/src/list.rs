//! Lists: the packed form inside the entry and the big form, behind one interface.
