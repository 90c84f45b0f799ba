//! Python source: whether it parses, which functions it defines, what it imports.
