"""What a worker tells Prometheus. Every name is explained in docs/metrics.md, which a test holds to this file."""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
WAITING = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)

jobs = Counter("thumbnailer_jobs_total", "Jobs that ended here", ["outcome", "format", "priority"])
queued = Histogram("thumbnailer_queued_seconds", "From acceptance to the claim", ["priority"], buckets=WAITING)
steps = Histogram("thumbnailer_step_seconds", "One step of the work on a job", ["step"], buckets=SECONDS)
decoding = Histogram("thumbnailer_decode_seconds", "Opening and decoding one image", buckets=SECONDS)
encoding = Histogram("thumbnailer_encode_seconds", "Encoding all outputs of one image", buckets=SECONDS)
working = Histogram("thumbnailer_job_seconds", "From the claim to the recorded outcome", ["priority"], buckets=SECONDS)
source_bytes = Counter("thumbnailer_source_bytes_total", "Bytes of images read")
result_bytes = Counter("thumbnailer_result_bytes_total", "Bytes of thumbnails written")
rescues = Counter("thumbnailer_rescues_total", "Jobs taken over from a worker whose lease had ended")
lost_leases = Counter("thumbnailer_lost_leases_total", "Jobs that this worker lost while it had them")
released = Counter("thumbnailer_released_jobs_total", "Jobs given back without an outcome", ["reason"])
duplicates = Counter("thumbnailer_duplicate_messages_total", "Messages whose job needed no work", ["because"])
foreign = Counter("thumbnailer_foreign_messages_total", "Messages that hold no job's id")
child_deaths = Counter("thumbnailer_child_deaths_total", "Children that died with a job", ["cause"])
busy = Gauge("thumbnailer_busy_slots", "Jobs being worked on")
