"""What keeps the promise that nothing is lost: one file for each duty, and the list of them in `duties`."""
