"""Client of the thumbnailer; knows HTTP only.

from thumbnailer import Client

with Client("http://127.0.0.1:8080") as client:
    job = client.wait(client.submit("photo.jpg", outputs=["format=webp,size=200x200"]))
    client.download(job, 0, "photo.webp")
"""

from thumbnailer.client import Client
from thumbnailer.errors import (
    AnswerLost,
    Gone,
    InvalidOutput,
    InvalidSetting,
    JobFailed,
    NotAllowed,
    NotFound,
    Problem,
    Refused,
    ServiceFault,
    ServiceUnreachable,
    ThumbnailerError,
    TimedOut,
    Unavailable,
)
from thumbnailer.models import Event, Job, Output, Queue, QueueState, Source

__all__ = [
    "AnswerLost",
    "Client",
    "Event",
    "Gone",
    "InvalidOutput",
    "InvalidSetting",
    "Job",
    "JobFailed",
    "NotAllowed",
    "NotFound",
    "Output",
    "Problem",
    "Queue",
    "QueueState",
    "Refused",
    "ServiceFault",
    "ServiceUnreachable",
    "Source",
    "ThumbnailerError",
    "TimedOut",
    "Unavailable",
]
