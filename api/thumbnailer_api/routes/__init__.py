"""Handlers, one file per resource: read the request, call, shape the answer. app.py lists them all."""
