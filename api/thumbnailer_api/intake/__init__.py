"""What a caller sends: an image that streams through, and what is asked for."""
