"""The worker: claims jobs and makes the pictures."""
