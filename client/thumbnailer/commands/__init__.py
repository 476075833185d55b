"""The commands of `thumbnailer`, one file for each kind."""
