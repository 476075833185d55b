"""Client of the thumbnailer; knows HTTP only."""
