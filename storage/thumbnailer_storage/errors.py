"""What can go wrong in the stores.

StorageError
├── StoreUnavailable          our own trouble: nothing is wrong with the job, try again later
│   ├── DatabaseUnavailable
│   │   ├── DatabaseRefused   not as we are set up: at start the settings are wrong
│   │   └── OutcomeUnknown    a commit's reply was lost: read the record before judging
│   ├── ObjectsUnavailable
│   │   └── ObjectsRefused    likewise
│   └── QueueUnavailable
│       ├── QueueRefused      likewise
│       └── QueueMissing      there is no such queue, or not yet
├── JobNotFound
├── WebhookNotFound
├── DeliveryNotFound
├── TransitionRefused         the job is in a state that this change may not start from
├── ObjectMissing
├── ObjectExists              names are never used twice
├── InvalidJob                a value that no job may have
├── InvalidCursor             a page's beginning that is none of ours
├── SubmissionInFlight        another request has its idempotency key
├── KeyNotFound
├── InvalidKey                a key that cannot be made, or is not told apart from others
│   └── KeyExists             its owner has one of that name
├── SchemaTooOld              somebody has to migrate
├── SchemaTooNew              this program is older than the database
├── ForeignStore              the object store belongs to another database
├── PriceUnavailable          nobody says just now what computing costs
└── SettingError              a setting is wrong; says which one and what is allowed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thumbnailer_storage.jobs.model import Status


class StorageError(Exception):
    """Anything that the stores raise on purpose."""


class StoreUnavailable(StorageError):
    """A store cannot be used just now; the job is not to blame."""


class DatabaseUnavailable(StoreUnavailable):
    """The database does not answer, is locked for too long, or has no connection free."""


class DatabaseRefused(DatabaseUnavailable):
    """The database answers and will not have us: a wrong password, no such database."""


class OutcomeUnknown(DatabaseUnavailable):
    """The commit was sent and its reply was lost: it may or may not have happened."""


class ObjectsUnavailable(StoreUnavailable):
    """The object store does not answer, refuses us, or is full."""


class ObjectsRefused(ObjectsUnavailable):
    """The object store answers and will not have us: a wrong key, no such bucket."""


class QueueUnavailable(StoreUnavailable):
    """The queue does not answer or refuses us."""


class QueueRefused(QueueUnavailable):
    """The queue answers and will not have us: a wrong key."""


class QueueMissing(QueueUnavailable):
    """There is no such queue, or not yet; others of the same server may be there."""


class JobNotFound(StorageError):
    """There is no such job, or none that this owner may see."""


class WebhookNotFound(StorageError):
    """The owner has no default webhook."""


class DeliveryNotFound(StorageError):
    """There is no such delivery of this job."""


class TransitionRefused(StorageError):
    """The change may not start from the job's state.

    `status` and `attempt` are those that won.
    """

    def __init__(self, status: Status, attempt: int) -> None:
        super().__init__(f"the job is {status} (attempt {attempt})")
        self.status = status
        self.attempt = attempt


class ObjectMissing(StorageError):
    """There is no object under this key."""


class ObjectExists(StorageError):
    """There is an object under this key already; it was left as it is."""


class InvalidJob(StorageError, ValueError):
    """A value that no job may have; the text says which and what is allowed."""


class InvalidCursor(StorageError, ValueError):
    """The text does not say where a page begins."""


class SubmissionInFlight(StorageError):
    """Another request with the same idempotency key is under way; the text is for the caller."""


class KeyNotFound(StorageError):
    """There is no such key, or none of that owner."""


class InvalidKey(StorageError, ValueError):
    """No key can be made so, or several are called so; the text says what to do."""


class KeyExists(InvalidKey):
    """Its owner has a key of that name already."""


class SchemaTooOld(StorageError):
    """The database's tables are older than this program, or not there yet."""


class SchemaTooNew(StorageError):
    """The database's tables are marked as too new for this program."""


class ForeignStore(StorageError):
    """The object store's marker names another database."""


class PriceUnavailable(StorageError):
    """EC2 does not say what an instance costs."""


class SettingError(StorageError):
    """A setting is wrong; the text names the variable and says what is allowed."""
