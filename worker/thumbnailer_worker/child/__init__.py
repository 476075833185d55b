"""What runs in the child, started as `python -m thumbnailer_worker.child` by sandbox/process.py; imports little.

__main__.py  the child that makes pictures
running.py   give up all that it does not need, then make one job after the other
limits.py    how much of everything a job may use
confine.py   what the child gives up before its first job
seccomp.py   the system calls that are left to it
"""
