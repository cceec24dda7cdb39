"""The store as one object: a database and the parts that read and write it."""

from __future__ import annotations

from lepton_tasks.settings import Settings
from lepton_tasks.store.batch_orders import BatchOrderStore
from lepton_tasks.store.batch_runs import BatchRunStore
from lepton_tasks.store.batches import BatchStore
from lepton_tasks.store.canvases import CanvasStore
from lepton_tasks.store.claims import ClaimStore
from lepton_tasks.store.conversations import ConversationStore
from lepton_tasks.store.corpora import CorpusStore
from lepton_tasks.store.corpus_index import CorpusIndexStore
from lepton_tasks.store.database import Database
from lepton_tasks.store.dead_letters import DeadLetterStore
from lepton_tasks.store.deliveries import DeliveryStore
from lepton_tasks.store.documents import DocumentStore
from lepton_tasks.store.due import DueStore
from lepton_tasks.store.endpoints import EndpointStore
from lepton_tasks.store.files import FileStore
from lepton_tasks.store.follow_ups import FollowUpStore
from lepton_tasks.store.jobs import JobStore
from lepton_tasks.store.keys import KeyStore
from lepton_tasks.store.leases import LeaseStore
from lepton_tasks.store.operator_events import OperatorEventStore
from lepton_tasks.store.outbox import OutboxStore
from lepton_tasks.store.progress import ProgressStore
from lepton_tasks.store.recovery import RecoveryStore
from lepton_tasks.store.retention import RetentionStore
from lepton_tasks.store.schema import check_schema, check_writable, schema_revision, upgrade_schema
from lepton_tasks.store.sealing import SecretBox
from lepton_tasks.store.suspects import SuspectStore
from lepton_tasks.store.task_results import TaskResultStore
from lepton_tasks.store.uploads import UploadStore
from lepton_tasks.store.waits import WaitStore


class Store:
    """SQL truth. Each part is a file of its own and sees only the database."""

    def __init__(self, database: Database, box: SecretBox | None = None) -> None:
        """``box`` seals what must not be in the clear; without it there are no endpoints."""
        box = box or SecretBox()
        self.database = database
        self.jobs = JobStore(database)
        self.claims = ClaimStore(database)
        self.due = DueStore(database)
        self.leases = LeaseStore(database)
        self.recovery = RecoveryStore(database)
        self.suspects = SuspectStore(database)
        self.dead_letters = DeadLetterStore(database)
        self.outbox = OutboxStore(database)
        self.batches = BatchStore(database)
        self.files = FileStore(database)
        self.batch_orders = BatchOrderStore(database)
        self.batch_runs = BatchRunStore(database)
        self.uploads = UploadStore(database)
        self.keys = KeyStore(database, box)
        self.deliveries = DeliveryStore(database, box, self.keys)
        self.endpoints = EndpointStore(database, box)
        self.operator_events = OperatorEventStore(database)
        self.retention = RetentionStore(database)
        self.corpora = CorpusStore(database)
        self.documents = DocumentStore(database)
        self.corpus_index = CorpusIndexStore(database)
        self.progress = ProgressStore(database)
        self.waits = WaitStore(database)
        self.canvases = CanvasStore(database)
        self.follow_ups = FollowUpStore(database)
        self.task_results = TaskResultStore(database)
        self.conversations = ConversationStore(database)

    def close(self) -> None:
        """Close pooled connections."""
        self.database.close()


def open_store(settings: Settings) -> Store:
    """Open the store and check its schema version.

    The embedded SQLite file is created on first use; a database that an operator
    named is only ever upgraded by ``lepton db upgrade``.

    Raises:
        StoreUnavailable: the database cannot be used or written, or is at another version.
    """
    database = Database(settings.store_url)
    if not settings.database_url and schema_revision(database) is None:
        upgrade_schema(database)
    check_schema(database)
    check_writable(database)
    return Store(database, SecretBox.of(settings))
