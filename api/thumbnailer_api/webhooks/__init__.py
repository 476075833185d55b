"""Telling callers what became of their jobs: who is told, in which words, signed how, and where we never go."""
