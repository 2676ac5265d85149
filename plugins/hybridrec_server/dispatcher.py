"""The queue in front of the workers: batches of requests, their deadlines, swaps of bundles, lost workers."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Coroutine, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from hybridrec import DataError, HybridrecError, did_you_mean
from hybridrec_server.cursors import shown_before
from hybridrec_server.left_out import LeftOut
from hybridrec_server.page import ENCODING, FILTERS
from hybridrec_server.pool import OpenBundle, Refused, Worker, WorkerGone, WorkerOptions, start_generation
from hybridrec_server.precomputed import PrecomputedLists
from hybridrec_server.protocols import Method, NotFound, Overloaded, RequestProblem, ServedAnswer
from hybridrec_server.schemas import Check, Ready, RecommendRequest, Reloaded, WorkerStatus
from hybridrec_server.state.base import Busy

if TYPE_CHECKING:
    from hybridrec_server.metrics import ServerMetrics
    from hybridrec_server.settings import ServerSettings
    from hybridrec_server.state.base import Event, StateStore

HANGS_AFTER = 3
"""The number of deadlines after which a worker that has not answered is replaced."""
LEFT_OUT = (10.0, 3_600.0)
"""The seconds for which a component is left out the first time, and at most."""
LONG = 2_000
"""The number of ids in a request from which it is answered alone, as it would hold up the others of a batch."""
TRIES = 2
"""The number of times that a request is given to a worker, if the first one ends before it answers."""
TOLD_AGAIN = 60.0
"""The seconds until a component that goes on failing is logged again."""
STATE_SECONDS = 0.25
"""The seconds for which a batch waits for the events of its users."""
_LOG = logging.getLogger(__name__)
_RESTART = (0.5, 30.0)
"""The seconds until a worker that cannot be started is started again: the first time, and at most."""


@dataclass(slots=True, eq=False)
class _Job:
    """A request that waits for its answer.

    number: its place in the order of arrival
    key: jobs of the same key may be answered as one batch
    """

    number: int
    key: Hashable
    pipeline: str
    target: str
    n: int
    future: asyncio.Future[Any]
    request: RecommendRequest | None = None
    shown: Sequence[str] = ()
    question: Mapping[str, Any] = field(default_factory=dict)
    tries: int = 0
    waits: bool = False
    events: Sequence[Event] = ()
    watch: asyncio.TimerHandle | None = None

    def finish(self, result: Any) -> None:
        """Give the result, unless the deadline gave another one."""
        if self.watch is not None:
            self.watch.cancel()
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        """Give an error, unless the deadline gave a result."""
        if self.watch is not None:
            self.watch.cancel()
        if not self.future.done():
            self.future.set_exception(error)


class WorkerDispatcher:
    """The dispatcher of a server (`protocols.Dispatcher`).

    Each worker has a task that takes the next batch as soon as the worker is idle. While all are busy, requests gather.
    """

    def __init__(self, settings: ServerSettings, metrics: ServerMetrics, state: StateStore | None = None) -> None:
        """Take the settings, the metrics to count in, and the store of what people did since the bundle was made."""
        self._settings = settings
        self._metrics = metrics
        self._state = state
        self._options = WorkerOptions(HANGS_AFTER * settings.deadline, settings.plugins, settings.block)
        self._left_out = LeftOut(*LEFT_OUT)
        self._told: dict[str, float] = {}
        self._bundle: OpenBundle | None = None
        self._before: tuple[OpenBundle, str] | None = None
        self._catalogue: dict[str, Any] = {}
        self._precomputed = PrecomputedLists({}, {})
        self._workers: list[Worker] = []
        self._retired: set[Worker] = set()
        """Workers of earlier generations that have not ended yet."""
        self._queues: dict[Hashable, deque[_Job]] = {}
        self._waiting = 0
        self._idle: deque[asyncio.Future[None]] = deque()
        self._numbers = itertools.count()
        self._last_size = 0
        self._swapping = asyncio.Lock()
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the workers; return once all of them answer. Raises HybridrecError for a bundle that cannot serve."""
        bundle = OpenBundle(self._settings.bundle)
        try:
            workers = await start_generation(bundle, self._options, self._settings.workers, check=False)
        except Refused as error:
            bundle.close()
            raise DataError(str(error)) from None
        self._commit(bundle, workers)
        self._metrics.watch(self.status)

    async def stop(self, drain: float) -> None:
        """Finish what was accepted, for at most `drain` seconds, and end the workers; new requests are Overloaded."""
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(drain):
                while self._waiting or any(worker.busy for worker in self._workers):
                    await asyncio.sleep(0.01)
        for queue in self._queues.values():
            for job in queue:
                self._give_up(job, "draining")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.kill() for worker in (*self._workers, *self._retired)))
        for bundle in (self._bundle, self._before and self._before[0]):
            if bundle is not None:
                bundle.close()
        self._bundle = self._before = None

    async def recommend(self, request: RecommendRequest) -> ServedAnswer:
        """Return the answer to a request, at the deadline a degraded answer.

        `request.id` and `request.time` are set. The events of `request.user` are read from the state store and folded
        in. Raises Overloaded and RequestProblem.
        """
        job = self._job(request, "recommend")
        if ENCODING in (left_out := self._left_out.now()) or FILTERS in left_out:
            return self._spare(job, "left_out")
        self._queue(job)
        answer: ServedAnswer = await job.future
        return answer

    async def ask(self, method: Method, arguments: Mapping[str, Any]) -> bytes:
        """Return the JSON of the answer to another question; `protocols.Dispatcher` lists them.

        Raises RequestProblem, NotFound, and Overloaded, also if the deadline passes without an answer.
        """
        if method == "explain":
            request = RecommendRequest.model_validate(arguments)
            job = self._job(request, "explain")
        else:
            if method == "similar" and arguments.get("component") in self._left_out.now():
                raise Overloaded(f"'{arguments['component']}' is left out for now, since it did not come back")
            question = {"do": method, "arguments": arguments}
            future = asyncio.get_running_loop().create_future()
            job = _Job(next(self._numbers), object(), "", "", 0, future, question=question)
        self._queue(job)
        body: bytes = await job.future
        return body

    async def reload(self, bundle: Path | None, dry_run: bool) -> Reloaded:
        """Check a bundle and let all workers swap to it, or none; `None` is the path that the server was started with.

        The bundle gets workers of its own. Once all of them are ready, requests go to them and to nobody else, and the
        workers before end when they have answered.
        """
        async with self._swapping:
            try:
                opened = OpenBundle(self._settings.bundle if bundle is None else bundle)
            except DataError as error:
                return self._refused(Check(name="file", passed=False, message=str(error)))
            return await self._swap(opened, dry_run)

    async def rollback(self) -> Reloaded:
        """Swap back to the bundle that served before; raises RequestProblem if there was none."""
        async with self._swapping:
            if self._before is None:
                raise RequestProblem("", "no other bundle served before")
            (opened, _), self._before = self._before, None
            return await self._swap(opened, dry_run=False)

    def status(self) -> Ready:
        """Return the state of the queue and of each worker."""
        workers = [
            WorkerStatus(
                worker=worker.number,
                state="starting" if not worker.ready else "busy" if worker.busy else "ready",
                bundle=worker.catalogue.get("bundle"),
            )
            for worker in self._workers
        ]
        return Ready(
            ready=not self._draining and any(worker.ready for worker in self._workers),
            bundle=self._catalogue.get("bundle"),
            workers=workers,
            queue=self._waiting,
            left_out=self._left_out.now(),
        )

    # Requests

    def _job(self, request: RecommendRequest, do: str) -> _Job:
        """Return the job of a request; raises RequestProblem for names that the bundle does not have."""
        catalogue = self._catalogue
        if request.id is None or request.time is None:
            stated = {"id": request.id or token_hex(16), "time": time.time() if request.time is None else request.time}
            request = request.model_copy(update=stated)
        pipeline = catalogue["default"] if request.pipeline is None else request.pipeline
        if pipeline not in catalogue["pipelines"]:
            told = did_you_mean(pipeline, catalogue["pipelines"])
            raise RequestProblem("pipeline", f"unknown pipeline '{pipeline}': {told}")
        if request.target not in catalogue["targets"]:
            told = did_you_mean(request.target, catalogue["targets"])
            raise RequestProblem("target", f"the bundle does not recommend '{request.target}': {told}")
        n = catalogue["targets"][request.target] if request.n is None else request.n
        shown: Sequence[str] = ()
        if request.cursor is not None:
            try:
                shown = shown_before(request.cursor)
            except ValueError:
                raise RequestProblem("cursor", "not a cursor; take the value of `next` as it is") from None
        size = len(request.items) + len(request.disliked) + len(request.blocked) + len(shown)
        alone = do == "explain" or size > LONG
        key = object() if alone else (pipeline, request.target, n, request.explain)
        question = {"do": do}
        future = asyncio.get_running_loop().create_future()
        return _Job(next(self._numbers), key, pipeline, request.target, n, future, request, shown, question)

    def _queue(self, job: _Job) -> None:
        """Make a job wait for a worker until the deadline; raises Overloaded if too many wait."""
        if self._draining:
            self._metrics.count_overloaded("draining")
            raise Overloaded("the server is about to end", 5.0)
        if self._waiting >= self._settings.queue:
            self._metrics.count_overloaded("queue")
            raise Overloaded(f"{self._waiting} requests wait already", max(1.0, self._settings.deadline))
        loop = asyncio.get_running_loop()
        job.watch = loop.call_later(self._settings.deadline, self._give_up, job, "deadline")
        self._append(job)

    def _append(self, job: _Job, *, first: bool = False) -> None:
        queue = self._queues.setdefault(job.key, deque())
        while queue and queue[0].future.done():  # at their deadline, or as the client went away
            self._take_off(queue)
        if first:
            queue.appendleft(job)
        else:
            queue.append(job)
        job.waits = True
        self._waiting += 1
        while self._idle:
            worker = self._idle.popleft()
            if not worker.done():
                worker.set_result(None)
                break

    def _take_off(self, queue: deque[_Job]) -> _Job:
        job = queue.popleft()
        self._forget(job)
        return job

    def _forget(self, job: _Job) -> None:
        """Count a job no longer as one that waits."""
        if job.waits:
            job.waits = False
            self._waiting -= 1

    def _give_up(self, job: _Job, reason: str) -> None:
        """Answer a job without a worker."""
        self._forget(job)
        if job.future.done():
            return
        if job.request is not None and job.question["do"] == "recommend":
            try:
                job.finish(self._spare(job, reason))
            except Exception as error:  # whatever it is, somebody waits
                job.fail(error)
        else:
            self._metrics.count_overloaded(reason)
            job.fail(Overloaded("no worker answered in time"))

    # Workers

    async def _serve(self, worker: Worker) -> None:
        """Give batches to a worker until another generation serves, or the worker ends; then put one in its place."""
        batch: list[_Job] = []
        try:
            while not worker.retired:
                batch = await self._next_batch(worker)
                if worker.lost.done():
                    for job in batch:
                        self._again(job)
                    raise await worker.gone()
                if batch:
                    await self._answer(worker, batch)
        except WorkerGone as gone:
            self._lose(gone)
            if not worker.retired:
                self._spawn(self._replace(worker))
        except Exception:  # a mistake here costs a batch, never the place of the worker
            _LOG.exception("worker %d is replaced, since its batch could not be handled", worker.number)
            for job in batch:
                if not job.waits:
                    self._give_up(job, "failed")
            if not worker.retired:
                self._spawn(self._replace(worker))
            await worker.kill()
        else:
            await worker.stop()
        self._retired.discard(worker)

    async def _next_batch(self, worker: Worker) -> list[_Job]:
        """Wait for requests, and return those that can be answered together, the oldest first; [] for no reason."""
        if not (queue := self._oldest()):
            arrival = asyncio.get_running_loop().create_future()
            self._idle.append(arrival)
            await asyncio.wait((arrival, worker.lost), return_when=asyncio.FIRST_COMPLETED)
            if not arrival.done():  # the worker is lost, and this place in the row of idle ones with it
                arrival.cancel()
            if worker.retired:
                return []
            queue = self._oldest()
        window = self._settings.window / 1_000
        if queue and window and self._last_size >= 2 and len(queue) < self._settings.batch:
            await asyncio.sleep(window)
            queue = self._oldest()
        batch: list[_Job] = []
        while queue and len(batch) < self._settings.batch:
            job = self._take_off(queue)
            if not job.future.done():
                batch.append(job)
        if batch:
            self._last_size = len(batch)
        return batch

    def _oldest(self) -> deque[_Job] | None:
        """Return the queue whose first job is the oldest of all; empty queues are dropped."""
        for key, queue in list(self._queues.items()):
            while queue and queue[0].future.done():
                self._take_off(queue)
            if not queue:
                del self._queues[key]
        return min(self._queues.values(), key=lambda queue: queue[0].number, default=None)

    async def _answer(self, worker: Worker, batch: Sequence[_Job]) -> None:
        """Answer a batch by a worker; jobs that it does not answer are asked once more, each alone."""
        for job in batch:
            job.tries += 1
        try:
            question = await self._question(batch)
            # No plugin runs in a search; the first one among millions of titles prepares them, for seconds.
            reply, payload = await worker.ask(question, patience=10.0 if question["do"] == "search" else 1.0)
            if "outcomes" in reply:
                self._finish_batch(worker, batch, reply, payload)
            else:
                self._finish_one(batch, reply, payload)
        except WorkerGone:
            for job in batch:
                self._again(job)
            raise
        except Exception:
            _LOG.exception("a batch of %d requests could not be answered", len(batch))
            for job in batch:
                self._give_up(job, "failed")

    async def _question(self, batch: Sequence[_Job]) -> dict[str, Any]:
        """Return the question to a worker for the jobs of a batch, with what their users did since."""
        first = batch[0]
        left_out = list(self._left_out.now())
        if first.request is None:
            return {**first.question, "left_out": left_out}
        noted = await self._read_state(batch)
        requests = [self._folded(job) | noted for job in batch]
        common = {"pipeline": first.pipeline, "target": first.target, "n": first.n, "left_out": left_out}
        if first.question["do"] == "recommend":
            return {**first.question, **common, "requests": requests, "explain": first.request.explain}
        return {**first.question, **common, "arguments": requests[0]}

    def _finish_batch(self, worker: Worker, batch: Sequence[_Job], reply: Mapping[str, Any], payload: bytes) -> None:
        pipeline, bundle = batch[0].pipeline, worker.catalogue["bundle"]
        self._metrics.count_batch(pipeline, len(batch), reply["seconds"], reply["unknown"])
        for component, (message, origin) in reply["faults"].items():
            self._metrics.count_fault(component, "raised")
            self._tell(component, message, origin)
        start, segmenter = 0, worker.catalogue["segmenter"]
        for job, (size, told, *message), segment in zip(batch, reply["outcomes"], reply["segments"], strict=True):
            assert job.request is not None
            if message:
                job.fail(RequestProblem(told, message[0]))
                continue
            body = payload[start : start + size]
            start += size
            if not job.future.done():  # else the precomputed list was counted
                self._metrics.count_answer(pipeline, told)
            segments = {segmenter: segment}
            job.finish(ServedAnswer(body, job.request.id or "", pipeline, bundle, told, segments=segments))

    def _tell(self, component: str, message: str, origin: str) -> None:
        """Log that a component failed; the text of its error may hold what a person sent."""
        now = time.monotonic()
        if now >= self._told.get(component, now):
            self._told[component] = now + TOLD_AGAIN
            error = f"{origin}: {message}" if self._settings.log_persons else origin
            _LOG.warning("component '%s' failed and has no opinion: %s", component, error)

    def _finish_one(self, batch: Sequence[_Job], reply: Mapping[str, Any], payload: bytes) -> None:
        """Finish the only job of a batch; a batch of several that failed is asked again, request by request."""
        first = batch[0]
        if len(batch) > 1:
            for job in batch:
                self._again(job)
        elif "problem" in reply:
            first.fail(RequestProblem(*reply["problem"]))
        elif "not_found" in reply:
            first.fail(NotFound(reply["not_found"]))
        elif "failed" not in reply:
            first.finish(payload)
        else:
            self._give_up(first, "failed")

    def _again(self, job: _Job) -> None:
        """Make a job wait once more, alone and before all others; give up after `TRIES`."""
        if job.future.done():
            return
        if job.tries >= TRIES:
            self._give_up(job, "failed")
            return
        job.key = object()
        self._append(job, first=True)

    def _lose(self, gone: WorkerGone) -> None:
        """Count a lost worker, and leave out the component that it was lost in."""
        self._metrics.count_lost_worker(gone.reason)
        if gone.component and gone.reason != "killed":
            self._metrics.count_fault(gone.component, gone.reason)
            self._left_out.blame(gone.component)
            _LOG.error(
                "component '%s' %s; it is left out for now, and its worker replaced", gone.component, gone.reason
            )

    async def _replace(self, lost: Worker) -> None:
        """Start a worker in the place of a lost one, and let it serve."""
        pause, most = _RESTART
        while not lost.retired:
            worker = Worker(lost.number, lost.bundle, self._options)
            self._workers = [worker if each is lost else each for each in self._workers]
            try:
                await worker.start(check=False)
            except Exception as error:
                if not isinstance(error, Refused):
                    _LOG.exception("worker %d could not be started", worker.number)
                if worker not in self._workers:
                    return
                self._workers = [lost if each is worker else each for each in self._workers]
                await asyncio.sleep(pause)
                pause = min(2 * pause, most)
                continue
            if worker not in self._workers:  # another generation serves by now
                await worker.stop()
            else:
                self._spawn(self._serve(worker))
            return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Bundles

    async def _swap(self, opened: OpenBundle, dry_run: bool) -> Reloaded:
        """Make a bundle serve in the place of the one before; it is closed if it is refused.

        The same bundle once more, as after a SIGHUP for other keys, leaves the one to roll back to as it is.
        """
        before = self._catalogue["bundle"]
        try:
            workers = await start_generation(opened, self._options, 1 if dry_run else self._settings.workers)
        except Refused as error:
            opened.close()
            return self._refused(Check(name="load and answer", passed=False, message=str(error)))
        except BaseException:
            opened.close()
            raise
        checks = [Check(name=name, passed=True) for name in ("file", "load and answer")]
        if dry_run:
            await asyncio.gather(*(worker.stop() for worker in workers))
            opened.close()
            return Reloaded(swapped=False, bundle=before, before=before, checks=checks)
        assert self._bundle is not None
        dropped: OpenBundle | None = self._bundle
        if workers[0].catalogue["bundle"] != before:
            dropped = self._before and self._before[0]
            self._before = (self._bundle, before)
        self._commit(opened, workers)
        if dropped is not None:
            dropped.close()
        self._metrics.count_swap("made")
        return Reloaded(swapped=True, bundle=self._catalogue["bundle"], before=before, checks=checks)

    def _commit(self, bundle: OpenBundle, workers: list[Worker]) -> None:
        """Make these workers serve from now on, and retire those before."""
        for worker in self._workers:
            worker.retired = True
            self._retired.add(worker)
        self._bundle, self._workers = bundle, workers
        self._catalogue = workers[0].catalogue
        self._precomputed = PrecomputedLists(self._catalogue, workers[0].attributes)
        self._left_out.clear()
        for arrival in self._idle:  # the tasks of retired workers end
            if not arrival.done():
                arrival.set_result(None)
        self._idle.clear()
        for worker in workers:
            self._spawn(self._serve(worker))

    def _refused(self, check: Check) -> Reloaded:
        self._metrics.count_swap("refused")
        bundle = self._catalogue["bundle"]
        return Reloaded(swapped=False, bundle=bundle, before=bundle, checks=[check])

    # Persons

    async def _read_state(self, batch: Sequence[_Job]) -> dict[str, Any]:
        """Read the events of the users of a batch, by one question; return a warning if they cannot be read."""
        users = {job.request.user for job in batch if job.request is not None and job.request.user is not None}
        if self._state is None or not users:
            return {}
        try:
            async with asyncio.timeout(min(STATE_SECONDS, self._settings.deadline / 2)):
                events = await self._state.read(sorted(users))
        except (TimeoutError, Busy, HybridrecError):
            message = "events since the bundle was made could not be read in time, and do not count"
            return {"warnings": [{"code": "state", "path": "user", "message": message}]}
        for job in batch:
            if job.request is not None and job.request.user is not None:
                job.events = events.get(job.request.user, ())
        return {}

    def _folded(self, job: _Job) -> dict[str, Any]:
        """Return a request as the worker takes it, with what its user did since the bundle was made."""
        assert job.request is not None
        asked = job.request.model_dump(exclude_defaults=True, by_alias=True)
        if job.shown:
            asked["shown"] = job.shown
        if not job.events:
            return asked
        meanings: dict[str, tuple[str, float]] = {}
        for event in job.events:
            meaning = self._settings.events.get(event.kind, "none")
            if meaning != "none":
                meanings.pop(event.item, None)  # the last event about an item decides, and its place in the order
                meanings[event.item] = (meaning, event.time)
        items = job.request.target == "items"
        stated = set(job.request.items)
        recent = [
            (item, time) for item, (meaning, time) in meanings.items() if meaning == "positive" and item not in stated
        ]
        if recent:
            asked["recent"] = [item for item, _ in recent]
            asked["recent_times"] = [time for _, time in recent]
        if disliked := [item for item, (meaning, _) in meanings.items() if meaning == "negative"]:
            asked["disliked"] = [*job.request.disliked, *disliked]
        if items and (hidden := [item for item, (meaning, _) in meanings.items() if meaning == "skip"]):
            asked["hidden"] = hidden
        return asked

    def _spare(self, job: _Job, reason: str) -> ServedAnswer:
        """Return a degraded answer from the precomputed list; raises RequestProblem for a filter that cannot be."""
        assert job.request is not None
        played = [event.item for event in job.events]
        answer = self._precomputed.answer(job.request, job.pipeline, job.target, job.n, job.shown, played, reason)
        self._metrics.count_degraded(reason)
        self._metrics.count_answer(job.pipeline, "precomputed")
        return answer
