"""Many jobs at once: found, passed through steps by a few threads each, reported as they come."""
