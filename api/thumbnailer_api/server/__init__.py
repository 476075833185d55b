"""The HTTP server: cheroot, with what it lacks for callers that are slow, or that send more than they may.

cheroot gives a connection to a thread as soon as it is there, reads a chunk of any size whole, and closes on a caller
who still sends, so that its answer is lost. Here the thread that watches all connections gathers the head of a
request, and a thread gets it once it is whole; bodies come in small pieces with a deadline; and what a refused caller
still sends is read for a moment, by the watching thread too.
"""
