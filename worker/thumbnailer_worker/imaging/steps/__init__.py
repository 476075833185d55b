"""The steps of the pipeline, in files by subject; pipeline.py says in which order they are taken."""
