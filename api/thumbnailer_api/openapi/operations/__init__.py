"""What can be called: one file per resource, one function for each operation."""
