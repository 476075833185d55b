"""What the API counts. docs/metrics.md explains each; one process serves each pod, so the numbers are all of it."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

requests = Histogram(
    "thumbnailer_api_request_seconds",
    "Seconds until the answer began, callers' own waiting (Prefer: wait) and sending included",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
problems = Counter("thumbnailer_api_problems_total", "Requests that ended with a problem, by its name", ["problem"])
jobs = Counter("thumbnailer_api_jobs_accepted_total", "Jobs accepted", ["priority"])
upload_bytes = Counter("thumbnailer_api_upload_bytes_total", "Bytes of images that arrived, of refused ones too")
download_bytes = Counter("thumbnailer_api_download_bytes_total", "Bytes of outputs that were asked for")
transfers = Gauge("thumbnailer_api_transfers", "Threads that receive a body or send an output just now")
waiting = Gauge("thumbnailer_api_waiting_callers", "Callers that wait for a job just now")
unqueued = Counter(
    "thumbnailer_api_unqueued_jobs_total", "Jobs accepted whose messages the housekeeper sends", ["because"]
)
