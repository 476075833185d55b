"""Client of the thumbnailer; knows HTTP only.

from thumbnailer import Client

with Client("http://127.0.0.1:8080") as client:
    job = client.wait(client.submit("photo.jpg", outputs=["format=webp,size=200x200"]))
    client.download(job, 0, "photo.webp")
"""

from thumbnailer.client import Client
from thumbnailer.errors import (
    AnswerLost,
    Conflict,
    FinishedAlready,
    Gone,
    InFlight,
    InvalidOutput,
    InvalidSetting,
    JobFailed,
    MissingScope,
    NoKey,
    NotAllowed,
    NotFound,
    Problem,
    Refused,
    ServiceFault,
    ServiceUnreachable,
    ThumbnailerError,
    TimedOut,
    TooMany,
    Unavailable,
)
from thumbnailer.models import (
    Delivery,
    Event,
    Job,
    Key,
    Limits,
    Output,
    Queue,
    QueueState,
    Source,
    Usage,
    UsedDay,
    Webhook,
)

__all__ = [
    "AnswerLost",
    "Client",
    "Conflict",
    "Delivery",
    "Event",
    "FinishedAlready",
    "Gone",
    "InFlight",
    "InvalidOutput",
    "InvalidSetting",
    "Job",
    "JobFailed",
    "Key",
    "Limits",
    "MissingScope",
    "NoKey",
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
    "TooMany",
    "Unavailable",
    "Usage",
    "UsedDay",
    "Webhook",
]
