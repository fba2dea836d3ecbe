"""The tables: the log's, used by ``realtime.log`` alone, those of tickets and of what was signed
for connections, that of who edits what, those of what workers hold: streams, members,
subscriptions; and those of proxies."""

from django.db import models
from django.db.models import Q

from realtime.uninstalled import ensure_installed

# Else Django says, by a long traceback, something of labels.
ensure_installed()


class Event(models.Model):
    """A row of the log.

    It is written in the transaction of the change it tells of, without `seq`; the sequencer numbers
    it once that transaction is committed.
    """

    id = models.BigAutoField(primary_key=True)
    seq = models.BigIntegerField(null=True, unique=True, editable=False)
    nonce = models.CharField(max_length=8, blank=True, editable=False)
    channel = models.CharField(max_length=164)
    type = models.CharField(max_length=200)
    data = models.TextField()
    changed = models.TextField(blank=True)
    mutation = models.CharField(max_length=64, blank=True)
    # In the database too: during an upgrade, workers that don't know it still write.
    exclude = models.CharField(max_length=32, blank=True, db_default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("seq",)
        indexes = (
            models.Index(fields=("channel", "seq"), name="realtime_event_channel"),
            models.Index(fields=("id",), condition=Q(seq=None), name="realtime_event_unnumbered"),
        )

    def __str__(self) -> str:
        number = "unnumbered" if self.seq is None else f"{self.seq}-{self.nonce}"
        return f"{number} {self.type} on {self.channel}"


class Key(models.Model):
    """A hash of a key that was written when there was no such row. As long as it is being written,
    whoever writes it too waits."""

    key = models.BigIntegerField(primary_key=True)

    def __str__(self) -> str:
        return str(self.key)


class Head(models.Model):
    """The one row that says which numbers the log holds: above `floor`, up to `seq`."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    seq = models.BigIntegerField(default=0)
    nonce = models.CharField(max_length=8)
    floor = models.BigIntegerField(default=0)
    floor_nonce = models.CharField(max_length=8)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="realtime_one_head"),
            models.CheckConstraint(
                condition=Q(floor__gte=0, floor__lte=models.F("seq")), name="realtime_floor"
            ),
        )

    def __str__(self) -> str:
        return f"{self.seq}-{self.nonce}, from {self.floor}-{self.floor_nonce}"


class Ticket(models.Model):
    """A one-use right to open a stream as somebody, for an EventSource of another origin."""

    digest = models.CharField(max_length=64, primary_key=True)
    grant = models.TextField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"until {self.expires_at}"


class Authorization(models.Model):
    """A signature that was given out for a connection, and on whose grounds."""

    digest = models.CharField(max_length=64, primary_key=True)
    grant = models.TextField()
    socket_id = models.CharField(max_length=32, db_index=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"for {self.socket_id} until {self.expires_at}"


class Worker(models.Model):
    """A process that holds connections, and when it was last heard of."""

    id = models.CharField(max_length=32, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    seen_at = models.DateTimeField()
    # In the database too: during an upgrade, workers that don't know it still write.
    lost = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return f"{self.pid} on {self.host}"


class Stream(models.Model):
    """An open connection, to be counted against its owner's quota, and to be seen in the admin."""

    id = models.BigAutoField(primary_key=True)
    worker = models.ForeignKey(Worker, on_delete=models.CASCADE)
    owner = models.CharField(max_length=300, db_index=True)
    opened_at = models.DateTimeField()
    # In the database too: during an upgrade, workers that don't know them still write.
    number = models.BigIntegerField(default=0, db_default=0)
    """What its worker knows it by."""
    transport = models.CharField(max_length=16, blank=True, db_default="")
    channels = models.TextField(blank=True, db_default="")
    """A JSON list."""
    grants = models.TextField(blank=True, db_default="")
    """A JSON list of what it rests on."""

    class Meta:
        default_permissions = ("view",)
        permissions = (
            ("kick_stream", "Can end connections"),
            ("revoke_stream", "Can end connections and what they rest on"),
        )
        verbose_name = "connection"

    def __str__(self) -> str:
        return f"{self.owner} since {self.opened_at}"


class PresenceChannel(models.Model):
    """A presence channel's version, which each change of its members raises. Who changes them locks
    this row."""

    name = models.CharField(max_length=164, primary_key=True)
    version = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} at {self.version}"


class Member(models.Model):
    """A connection by which a user is a member of a presence channel."""

    id = models.BigAutoField(primary_key=True)
    # Not with a cascade: that would remove members without a word to anybody.
    worker = models.ForeignKey(Worker, on_delete=models.DO_NOTHING)
    channel = models.CharField(max_length=164)
    socket_id = models.CharField(max_length=32)
    user_id = models.CharField(max_length=128)
    info = models.TextField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("channel", "worker", "socket_id"), name="realtime_one_membership"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user_id} on {self.channel} by {self.socket_id}"


class Editor(models.Model):
    """A mark: a tab in which a user is editing an object of a published model, until it expires."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    """The publisher's."""
    object_id = models.CharField(max_length=255)
    user_id = models.CharField(max_length=128)
    tab = models.CharField(max_length=64)
    info = models.TextField()
    channels = models.TextField()
    """A JSON list: where the object's marks were told."""
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("name", "object_id", "user_id", "tab"), name="realtime_one_mark"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user_id} on {self.name} {self.object_id} until {self.expires_at}"


class Occupancy(models.Model):
    """How many subscriptions to a channel a worker holds."""

    id = models.BigAutoField(primary_key=True)
    worker = models.ForeignKey(Worker, on_delete=models.DO_NOTHING)
    channel = models.CharField(max_length=164)
    subscriptions = models.PositiveIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("channel", "worker"), name="realtime_one_occupancy"),
        )

    def __str__(self) -> str:
        return f"{self.subscriptions} on {self.channel}"


class Feed(models.Model):
    """What streams behind a GRIP proxy share that rest on one grant and have the same channels."""

    id = models.CharField(max_length=32, primary_key=True)
    key = models.CharField(max_length=64)
    """A digest of grant and channels."""
    owner = models.CharField(max_length=300, db_index=True)
    grant = models.TextField()
    channels = models.TextField()
    """A JSON list."""
    ended = models.BooleanField(default=False)
    """Whether a right has ended: nothing is published to it any more."""
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("key",), condition=Q(ended=False), name="realtime_feed_key"
            ),
        )

    def __str__(self) -> str:
        return f"{self.owner}: {self.channels}"


class FeedChannel(models.Model):
    """That what happens on a channel is published to a feed."""

    feed = models.ForeignKey(Feed, on_delete=models.CASCADE)
    channel = models.CharField(max_length=164, db_index=True)

    def __str__(self) -> str:
        return f"{self.channel} to {self.feed_id}"


class Proxy(models.Model):
    """A GRIP proxy: which process publishes to it, and up to where it has done so."""

    id = models.CharField(max_length=64, primary_key=True)
    holder = models.CharField(max_length=32)
    seen_at = models.DateTimeField()
    seq = models.BigIntegerField()
    nonce = models.CharField(max_length=8)

    def __str__(self) -> str:
        return f"up to {self.seq}-{self.nonce}"
