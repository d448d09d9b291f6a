"""What only the SQLite adapter does: group commit, failing COMMITs, damaged files, the folder lock, sweeping."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from millrace.adapters.sqlite import FolderLock, Holder, SqliteDocuments, SqliteFeed
from millrace.adapters.sqlite.log import lost_commits
from millrace.adapters.sqlite.readers import above
from millrace.base.errors import (
    ConditionRefused,
    Conflict,
    Corrupt,
    InvalidRequest,
    OutcomeUnknown,
    StoreUnavailable,
    TooLarge,
)
from millrace.ports.documents import ABSENT, Check, Index, IndexKey, Put, Range, Require, Table, TenantScope, Update
from tests.conformance.documents.builders import attrs, item, key, put, sorts

SCOPE = TenantScope("t")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteDocuments]:
    documents = SqliteDocuments(tmp_path, synchronous="NORMAL")
    yield documents
    documents.close()


class Gate:
    """Holds the committer in a job, so that what is submitted meanwhile becomes one group."""

    def __init__(self, store: SqliteDocuments) -> None:
        self._open = threading.Event()
        self._entered = threading.Event()
        self.future = store.committer.submit(self._work)
        self._entered.wait()

    def _work(self, connection: sqlite3.Connection) -> None:
        self._entered.set()
        self._open.wait()

    def open(self) -> None:
        self._open.set()
        self.future.result()


def test_one_write_alone_is_one_commit(store: SqliteDocuments) -> None:
    for number in range(5):
        store.write(SCOPE, [put(f"{number}")])
    assert 5 == store.commits


def test_writes_that_arrive_during_a_commit_share_the_next(store: SqliteDocuments) -> None:
    gate = Gate(store)
    futures = [store.submit(SCOPE, [put(f"{number:03}", {"n": number}, *ABSENT)]) for number in range(300)]
    assert 0 == store.commits
    assert not any(future.done() for future in futures)
    gate.open()
    wait(futures)
    assert 2 == store.commits
    assert 300 == len(store.query(SCOPE, Table.HISTORY, ("thing",), within=Range(limit=1000)).rows)


def test_writes_of_fifty_threads_take_far_fewer_commits_than_writes(store: SqliteDocuments) -> None:
    gate = Gate(store)
    threads = [
        threading.Thread(target=lambda n=n: [store.write(SCOPE, [put(f"{n}-{i}")]) for i in range(10)])
        for n in range(50)
    ]
    for thread in threads:
        thread.start()
    gate.open()
    for thread in threads:
        thread.join()
    assert 500 == len(store.query(SCOPE, Table.HISTORY, ("thing",), within=Range(limit=1000)).rows)
    assert store.commits <= 250


def test_a_refused_write_in_a_group_fails_its_own_caller_only(store: SqliteDocuments) -> None:
    store.write(SCOPE, [put("taken", {"n": 0})])
    gate = Gate(store)
    before = store.submit(SCOPE, [put("a", {"n": 1})])
    refused = store.submit(SCOPE, [put("b", {"n": 1}), Update(key("a"), add={"n": 1}), put("taken", {"n": 9}, *ABSENT)])
    grown = store.submit(SCOPE, [Update(key("a"), set={"v": "x" * 300_000}), put("c")])
    too_large = store.submit(SCOPE, [put("d"), Update(key("a"), set={"w": "x" * 200_000})])
    after = store.submit(SCOPE, [Update(key("a"), add={"n": 10})])
    gate.open()
    assert (None, None, None) == (before.result(), grown.result(), after.result())
    assert 2 == refused.exception().index
    assert isinstance(too_large.exception(), TooLarge)
    assert 11 == attrs(store, SCOPE, key("a"))["n"]
    assert [True, False, True, False] == [one is not None for one in store.batch_get(SCOPE, [key(k) for k in "abcd"])]


def test_a_refused_list_of_one_leaves_no_trace_in_its_group(store: SqliteDocuments) -> None:
    store.write(SCOPE, [put("taken", {"n": 0})])
    marked = item("taken", {"n": 9}, indexes={Index.LIST: IndexKey(("p",), "s")}, feed=True)
    gate = Gate(store)
    before = store.submit(SCOPE, [put("a", {"v": "x" * 300_000})])
    refused = store.submit(SCOPE, [Put(marked, ABSENT)])
    too_large = store.submit(SCOPE, [Update(key("a"), set={"w": "x" * 200_000}, indexes=marked.indexes)])
    gate.open()
    assert [None, ConditionRefused, TooLarge] == [
        before.result(),
        type(refused.exception()),
        type(too_large.exception()),
    ]
    assert [{"n": 0}, {"v": "x" * 300_000}] == [attrs(store, SCOPE, key(sort)) for sort in ("taken", "a")]
    assert () == store.query_index(SCOPE, Table.HISTORY, Index.LIST, ("p",)).rows
    assert [] == SqliteFeed(store).read(after=0)


def test_a_group_in_which_everything_is_refused_commits_nothing(store: SqliteDocuments) -> None:
    with pytest.raises(ConditionRefused):
        store.write(SCOPE, [Require(key("a"), (Check("exists"),))])
    assert 0 == store.commits


def test_a_cancelled_write_that_still_waits_is_not_written(store: SqliteDocuments) -> None:
    gate = Gate(store)
    future = store.submit(SCOPE, [put("a")])
    assert future.cancel()
    gate.open()
    store.write(SCOPE, [put("b")])
    assert [None] == store.batch_get(SCOPE, [key("a")])


def test_submitting_into_a_full_queue_waits_for_room(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path, synchronous="NORMAL", queue_jobs=2)
    gate = Gate(store)
    first = [store.submit(SCOPE, [put(f"{number}")]) for number in range(2)]
    later: list = []
    thread = threading.Thread(target=lambda: later.append(store.submit(SCOPE, [put("late")])))
    thread.start()
    thread.join(0.05)
    assert (True, []) == (thread.is_alive(), later)
    gate.open()
    thread.join()
    wait([*first, *later])
    assert ["0", "1", "late"] == sorts(store.query(SCOPE, Table.HISTORY, ("thing",)))
    store.close()


def test_closing_writes_what_is_queued_and_refuses_what_comes_later(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path, synchronous="NORMAL", queue_jobs=1)
    gate = Gate(store)
    queued = store.submit(SCOPE, [put("a")])
    late: list = []
    blocked = threading.Thread(target=lambda: late.append(store.submit(SCOPE, [put("b")])))
    blocked.start()
    closing = threading.Thread(target=store.close)
    closing.start()
    blocked.join()
    gate.open()
    closing.join()
    assert queued.result() is None
    assert isinstance(late[0].exception(), StoreUnavailable)
    with pytest.raises(StoreUnavailable):
        store.write(SCOPE, [put("c")])
    with pytest.raises(StoreUnavailable):
        store.get(SCOPE, key("a"))
    store.close()
    again = SqliteDocuments(tmp_path)
    assert ["a"] == sorts(again.query(SCOPE, Table.HISTORY, ("thing",)))
    again.close()


class Failing(sqlite3.Connection):
    """A connection whose next COMMIT fails, before or after it took effect; or whose next INSERT does."""

    plan: str = ""

    def execute(self, sql: str, *arguments):
        if sql == "COMMIT" and Failing.plan in ("before", "after"):
            plan, Failing.plan = Failing.plan, ""
            if plan == "after":
                super().execute(sql)
            raise sqlite3.OperationalError("disk I/O error")
        if sql.startswith("INSERT INTO item") and Failing.plan == "insert":
            Failing.plan = ""
            raise sqlite3.OperationalError("database or disk is full")
        if sql.startswith("BEGIN") and Failing.plan == "begin":
            Failing.plan = ""
            raise sqlite3.OperationalError("database is locked")
        if sql.startswith("INSERT INTO item") and Failing.plan == "defect":
            Failing.plan = ""
            raise LookupError("a defect")
        return super().execute(sql, *arguments)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[SqliteDocuments]:
    Failing.plan = ""
    documents = SqliteDocuments(tmp_path, synchronous="NORMAL", factory=Failing)
    yield documents
    Failing.plan = ""
    documents.close()


@pytest.mark.parametrize(("plan", "written"), [("before", False), ("after", True)])
def test_a_failed_commit_is_unknown_to_all_in_the_group_and_the_store_goes_on(
    failing: SqliteDocuments, plan: str, written: bool
) -> None:
    failing.write(SCOPE, [put("taken")])
    gate = Gate(failing)
    pair = [failing.submit(SCOPE, [put(sort)]) for sort in ("c", "d")]
    refused = failing.submit(SCOPE, [put("taken", {}, *ABSENT)])
    commits = failing.commits
    gate.future.add_done_callback(lambda _: setattr(Failing, "plan", plan))
    gate.open()
    wait([*pair, refused])
    assert [OutcomeUnknown, OutcomeUnknown] == [type(future.exception()) for future in pair]
    assert ConditionRefused is type(refused.exception())
    assert commits + 1 == failing.commits
    assert [written] * 2 == [one is not None for one in failing.batch_get(SCOPE, [key("c"), key("d")])]
    failing.write(SCOPE, [put("e")])
    assert failing.get(SCOPE, key("e")) is not None


def test_a_register_under_random_faults_never_differs_from_what_its_writer_was_told(failing: SqliteDocuments) -> None:
    chance = random.Random(24)
    version, told, refused, unknown = 0, 0, 0, 0
    failing.write(SCOPE, [put("r", {"v": 0})])
    for _ in range(300):
        Failing.plan = chance.choice(["", "", "", "", "insert", "begin", "before", "after"])
        step = Update(key("r"), set={"v": version + 1}, when=(Check("eq", "v", version),))
        try:
            failing.write(SCOPE, [step])
        except OutcomeUnknown:
            unknown += 1
            seen = attrs(failing, SCOPE, key("r"))["v"]
            assert seen in (version, version + 1)
            version = seen
        except StoreUnavailable:
            refused += 1
        else:
            told += 1
            version += 1
        assert version == attrs(failing, SCOPE, key("r"))["v"]
    assert told >= 150
    assert min(refused, unknown) >= 30


@pytest.mark.parametrize("plan", ["insert", "begin"])
def test_a_failure_before_commit_means_that_nothing_was_written(failing: SqliteDocuments, plan: str) -> None:
    Failing.plan = plan
    with pytest.raises(StoreUnavailable):
        failing.write(SCOPE, [put("a")])
    assert failing.get(SCOPE, key("a")) is None
    failing.write(SCOPE, [put("a")])
    assert failing.get(SCOPE, key("a")) is not None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_the_committer_stops_the_store_instead_of_hanging_it(failing: SqliteDocuments) -> None:
    Failing.plan = "defect"
    with pytest.raises(StoreUnavailable):
        failing.write(SCOPE, [put("a")])
    with pytest.raises(StoreUnavailable):
        failing.write(SCOPE, [put("b")])
    assert [None, None] == failing.batch_get(SCOPE, [key("a"), key("b")])


def _damage(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("offset", [0, 4096 + 100])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, offset: int) -> None:
    store = SqliteDocuments(tmp_path)
    store.batch_put(SCOPE, [item(f"{number:04}", {"v": "x" * 500}) for number in range(200)])
    store.close()
    _damage(tmp_path / "millrace.db", offset, b"\xff" * 8000)
    with pytest.raises(Corrupt) as caught:
        SqliteDocuments(tmp_path)
    assert "millrace.db" in caught.value.message
    assert "put back a copy" in caught.value.hint


def test_damage_that_is_met_later_is_an_error_of_that_read(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path)
    store.batch_put(SCOPE, [item(f"{number:04}", {"v": "x" * 500}) for number in range(200)])
    store.close()
    store = SqliteDocuments(tmp_path)
    _damage(tmp_path / "millrace.db", 4096, b"\xff" * 100_000)
    with pytest.raises(Corrupt):
        store.query(SCOPE, Table.HISTORY, ("thing",), within=Range(limit=1000))
    store.close()


def _log_left_by_a_crash(folder: Path, crashed: Path) -> Path:
    """A copy of a live store of twenty commits and its log, as a crash would leave them; answers the log."""
    store = SqliteDocuments(folder)
    for number in range(20):
        store.write(SCOPE, [put(f"{number:02}", {"v": "x" * 3000})])
    shutil.copytree(folder, crashed)
    (crashed / "millrace.db-shm").unlink()
    store.close()
    return crashed / "millrace.db-wal"


def _stored(folder: Path, **options: str) -> int:
    store = SqliteDocuments(folder, **options)
    count = len(store.query(SCOPE, Table.HISTORY, ("thing",)).rows)
    store.close()
    return count


def test_a_whole_log_is_replayed(tmp_path: Path) -> None:
    log = _log_left_by_a_crash(tmp_path / "a", tmp_path / "b")
    assert 0 == lost_commits(log)
    assert 20 == _stored(tmp_path / "b")
    assert 0 == lost_commits(log)


@pytest.mark.parametrize("place", [5, 40, 8_000, 40_000])
def test_damage_in_the_middle_of_the_log_is_not_taken_for_its_end(tmp_path: Path, place: int) -> None:
    log = _log_left_by_a_crash(tmp_path / "a", tmp_path / "b")
    byte = log.read_bytes()[place]
    _damage(log, place, bytes([byte ^ 1]))
    with pytest.raises(Corrupt) as caught:
        SqliteDocuments(tmp_path / "b")
    assert 1 < caught.value.facts["commits"]
    assert "copy" in caught.value.hint
    assert 20 > _stored(tmp_path / "b", synchronous="NORMAL")


def test_a_log_cut_off_in_its_last_commit_is_what_a_crash_leaves(tmp_path: Path) -> None:
    log = _log_left_by_a_crash(tmp_path / "a", tmp_path / "b")
    size = log.stat().st_size
    _damage(log, size - 100, b"\xff" * 100)
    assert 1 == lost_commits(log)
    assert 19 == _stored(tmp_path / "b")


def test_opening_moves_the_log_into_the_file(tmp_path: Path) -> None:
    log = _log_left_by_a_crash(tmp_path / "a", tmp_path / "b")
    store = SqliteDocuments(tmp_path / "b")
    assert 0 == log.stat().st_size
    assert 20 == len(store.query(SCOPE, Table.HISTORY, ("thing",)).rows)
    store.close()


def test_a_log_that_ends_within_a_frame_or_before_its_header_is_no_damage(tmp_path: Path) -> None:
    log = _log_left_by_a_crash(tmp_path / "a", tmp_path / "b")
    os.truncate(log, log.stat().st_size - 1000)
    assert 19 == _stored(tmp_path / "b")
    for content in (b"", b"\0" * 20, b"\0" * 5000):
        log.write_bytes(content)
        assert 0 == lost_commits(log)


def test_a_log_that_cannot_be_read_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "millrace.db-wal").mkdir()
    with pytest.raises(StoreUnavailable):
        SqliteDocuments(tmp_path)


def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    SqliteDocuments(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "millrace.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Conflict) as caught:
        SqliteDocuments(tmp_path)
    assert "99" in caught.value.message


def test_a_folder_that_cannot_be_made_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable):
        SqliteDocuments(tmp_path / "file" / "data")
    (tmp_path / "millrace.db").mkdir()
    with pytest.raises(StoreUnavailable):
        SqliteDocuments(tmp_path)


def test_what_was_written_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    whole = item("a", {"body": b"x"}, indexes={Index.LIST: IndexKey(("p",), "s")}, expires_at=5, feed=True)
    for synchronous in ("FULL", "NORMAL"):
        store = SqliteDocuments(tmp_path, synchronous=synchronous)
        store.write(SCOPE, [Put(whole)])
        store.close()
    store = SqliteDocuments(tmp_path)
    assert whole == store.get(SCOPE, whole.key)
    store.close()


def test_full_is_the_default_and_normal_the_choice(tmp_path: Path) -> None:
    for choice, expected in (({}, 2), ({"synchronous": "NORMAL"}, 1)):
        store = SqliteDocuments(tmp_path, **choice)
        work = store.committer.submit(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
        assert expected == work.result()
        store.close()


def test_a_counter_never_passes_38_digits(store: SqliteDocuments) -> None:
    store.write(SCOPE, [put("a", {"n": 10**38 - 1})])
    with pytest.raises(InvalidRequest):
        store.add(SCOPE, key("a"), {"n": 1})
    assert {"n": 10**38 - 1} == attrs(store, SCOPE, key("a"))


def test_expired_items_stay_until_they_are_swept(store: SqliteDocuments) -> None:
    listed = {Index.LIST: IndexKey(("p",), "s")}
    store.batch_put(SCOPE, [item(f"{n:04}", {}, indexes=listed, expires_at=n) for n in range(1500)] + [item("kept")])
    assert [1000, 100] == [store.sweep(1099), store.sweep(1099)]
    commits = store.commits
    assert (0, commits) == (store.sweep(1099), store.commits)
    rest = store.query(SCOPE, Table.HISTORY, ("thing",), within=Range(limit=2000))
    assert 401 == len(rest.rows)
    assert 400 == len(store.query_index(SCOPE, Table.HISTORY, Index.LIST, ("p",), within=Range(limit=2000)).rows)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("a", "b"), ("a\U0010ffff", "b"), ("\U0010ffff", None), ("\ud7ff", "\ue000"), ("az", "a{")],
)
def test_the_bound_above_a_prefix(prefix: str, expected: str | None) -> None:
    assert expected == above(prefix)


def test_a_second_holder_of_a_folder_is_told_who_has_it(tmp_path: Path) -> None:
    assert FolderLock.holder(tmp_path) is None
    with FolderLock(tmp_path, port=8321) as lock:
        with pytest.raises(Conflict) as caught:
            FolderLock(tmp_path)
        assert (os.getpid(), 8321) == (caught.value.facts["pid"], caught.value.facts["port"])
        lock.announce(9000)
        assert Holder(os.getpid(), 9000) == FolderLock.holder(tmp_path)
    assert FolderLock.holder(tmp_path) is None
    lock.release()
    FolderLock(tmp_path).release()


def test_another_process_is_refused_and_the_end_of_a_process_frees_the_folder(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from millrace.adapters.sqlite import FolderLock\n"
        "FolderLock(Path(sys.argv[1]), port=7); print('held', flush=True); sys.stdin.read()"
    )
    library = str(Path(__file__).parents[3] / "layers" / "core")
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": library},
    )
    assert b"held\n" == child.stdout.readline()
    with pytest.raises(Conflict) as caught:
        FolderLock(tmp_path)
    assert (child.pid, 7) == (caught.value.facts["pid"], caught.value.facts["port"])
    child.kill()
    child.communicate()
    FolderLock(tmp_path).release()


def test_a_lock_file_without_sense_still_locks(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        (tmp_path / "lock").write_text("[]")
        assert Holder(0, 0) == FolderLock.holder(tmp_path)
