"""Open the three stores that the settings name."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from thumbnailer_storage.config import PREFIX, StorageSettings, masked
from thumbnailer_storage.errors import ForeignStore, ObjectExists, ObjectMissing, ObjectsUnavailable, SettingError
from thumbnailer_storage.jobs.callbacks import Callbacks
from thumbnailer_storage.jobs.database import Database
from thumbnailer_storage.jobs.deliveries import Deliveries
from thumbnailer_storage.jobs.events import EventLog
from thumbnailer_storage.jobs.idempotency import IdempotencyStore
from thumbnailer_storage.jobs.keys import KeyStore
from thumbnailer_storage.jobs.ledger import Ledger
from thumbnailer_storage.jobs.limits import Limits
from thumbnailer_storage.jobs.removal import Removal
from thumbnailer_storage.jobs.store import JobStore
from thumbnailer_storage.jobs.upkeep import Upkeep
from thumbnailer_storage.objects import Objects
from thumbnailer_storage.objects.directory import DirectoryObjects
from thumbnailer_storage.queues import Queue
from thumbnailer_storage.queues.sql import COUNTED, SqlQueue

MARKER = "marker"
"""The object that names the database whose objects these are."""
SQL_QUEUE = "sql:"
"""The queue's address where it is a table of the database."""
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "fuse.sshfs", "fuse.glusterfs", "9p", "lustre"}
)


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one process, all wired."""

    settings: StorageSettings
    database: Database
    jobs: JobStore
    upkeep: Upkeep
    keys: KeyStore
    ledger: Ledger
    callbacks: Callbacks
    deliveries: Deliveries
    limits: Limits
    events: EventLog
    removal: Removal
    idempotency: IdempotencyStore
    objects: Objects
    queue: Queue

    def together(self) -> AbstractContextManager[None]:
        """One transaction for records and messages, where the queue is a table of the same database."""
        return self.database.together() if self.settings.queue == SQL_QUEUE else nullcontext()

    def claim_objects(self) -> None:
        """Mark the object store as this database's, once; raises ForeignStore where it is another's."""
        first = not self.upkeep.objects_are_marked()
        if first:  # later, a marker that is missing is an object store that is missing
            with suppress(ObjectExists):
                self.objects.put(MARKER, [self.upkeep.identity().encode()])
        self.recognise_objects()
        if first:
            self.upkeep.note_objects_marked()

    def recognise_objects(self) -> None:
        """Raise ForeignStore where the marker names another database, ObjectsUnavailable where there is none yet."""
        ours = self.upkeep.identity()
        try:
            theirs = b"".join(self.objects.read(MARKER)).decode(errors="replace")
        except ObjectMissing:
            raise ObjectsUnavailable(
                "the object store has no marker: is the right volume or bucket there? (a new one gets it from the API)"
            ) from None
        if theirs != ours:
            raise ForeignStore(
                f"the object store belongs to database {theirs!r}, this one is {ours!r}: check THUMBNAILER_OBJECTS and "
                "THUMBNAILER_DATABASE, or remove the object `marker` if the database was moved on purpose"
            )

    def close(self) -> None:
        self.queue.close()
        self.objects.close()
        self.database.close()


def open_stores(settings: StorageSettings) -> Stores:
    """Open the stores; connections are made when they are first used. Raises SettingError, ObjectsUnavailable."""
    database = open_database(settings)
    objects, queue = open_objects(settings), open_queue(settings, database)
    return Stores(
        settings=settings,
        database=database,
        jobs=JobStore(database),
        upkeep=Upkeep(database),
        keys=KeyStore(database),
        ledger=Ledger(database),
        callbacks=Callbacks(database),
        deliveries=Deliveries(database),
        limits=Limits(database),
        events=EventLog(database),
        removal=Removal(database),
        idempotency=IdempotencyStore(database),
        objects=objects,
        queue=queue,
    )


def open_database(settings: StorageSettings) -> Database:
    if settings.database_url.startswith("sqlite:///"):
        make_local(Path(settings.database_url.removeprefix("sqlite:///")), "DATABASE" if settings.database else "DATA")
    try:
        return Database(settings.database_url, connections=settings.database_connections)
    except ValueError as error:
        shown = masked(settings.database_url)
        raise SettingError(f"{PREFIX}DATABASE is {shown!r}: it is no address of a database") from error


def open_objects(settings: StorageSettings) -> Objects:
    if settings.objects_url.startswith("s3://"):
        from thumbnailer_storage.objects.s3 import S3Objects  # noqa: PLC0415 - boto3 takes a while and memory

        bucket, _, prefix = settings.objects_url.removeprefix("s3://").partition("/")
        return S3Objects(bucket, prefix, create=settings.create_bucket)
    path = Path(settings.objects_url.removeprefix("file://"))
    make_local(path, "OBJECTS" if settings.objects else "DATA")
    return DirectoryObjects(path)


def open_queue(settings: StorageSettings, database: Database) -> Queue:
    if settings.queue == SQL_QUEUE:
        return SqlQueue(database, counted=max(COUNTED, settings.queue_limit))
    from thumbnailer_storage.queues.sqs import SqsQueue  # noqa: PLC0415 - as above

    return SqsQueue(settings.queue.removeprefix("sqs://"))


def make_local(path: Path, setting: str) -> None:
    """Make the folder that a store lives in; refuses one that other machines share, where locks do not hold."""
    name = PREFIX + setting
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"{name}: the folder {folder} cannot be made: {error.strerror}") from error
    kind = file_system(folder)
    if kind in NETWORK_FILE_SYSTEMS:
        raise SettingError(f"{name}: {folder} is on a network file system ({kind}): name a local folder")


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, from the mounts of this process; empty where unknown."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    mounts = {line.split()[1]: line.split()[2] for line in lines}
    real = folder.resolve()
    return next((mounts[str(place)] for place in (real, *real.parents) if str(place) in mounts), "")
