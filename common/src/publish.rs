//! Publishing files and folders: complete or absent, whatever interrupts.
