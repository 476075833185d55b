"""From an image as it came to the pictures that were asked for; no job, no store, no network."""
