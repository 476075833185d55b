"""Calls that belong together, each reached by a name of the client: `client.keys.create(...)`."""
