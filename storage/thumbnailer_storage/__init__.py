"""Job records, objects and queues of the thumbnailer: what API and worker both install."""
