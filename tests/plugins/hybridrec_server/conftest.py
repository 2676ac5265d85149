"""Bundles whose component misbehaves on demand, and dispatchers that serve them."""

import asyncio
from pathlib import Path

import orjson
import pytest

import hybridrec
from hybridrec_server.dispatcher import WorkerDispatcher
from hybridrec_server.metrics import ServerMetrics
from hybridrec_server.schemas import RecommendRequest
from hybridrec_server.settings import ServerSettings

MOODY = Path(__file__).parent / "moody.py"
CONFIG = """\
name: moods
seed: {seed}
data:
  reader: table
  interactions: {{path: plays.csv, user: user, item: item, context: {{place: category}}}}
  items:
    {{path: songs.csv, id: item, text: [title], tags: [genre],
     features: {{price: number, genre: category, live: flag}}}}
split: {{use: random, test: 0.2}}
components: {{pop: {{use: popularity}}, moody: {{}}, ease: {{l2: {l2}}}}}
pipelines:
  control: {{generators: [{{from: pop}}], fallback: [pop]}}
  hybrid:
    generators: [{{from: ease, k: 30}}, {{from: moody, k: 10}}]
    rerank: [{{use: weighted}}, {{use: moody-rule}}]
    fallback: [pop]
  calm: {{generators: [{{from: ease, k: 30}}, {{from: pop, k: 30}}], rerank: [{{use: weighted}}], fallback: [pop]}}
  drawn: {{generators: [{{from: ease, k: 30}}], rerank: [{{use: plackett-luce}}], fallback: [pop]}}
compare: {{control: control, metrics: [ndcg@5], resamples: 100}}
targets: {{items: 6}}
workers: 1
refit: all
"""


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """Makes the bundles `first` and `second`, which answer differently, once for all tests."""
    folder = tmp_path_factory.mktemp("bundles")
    plays = [f"u{user:02},i{(user * step + 3 * step) % 40:02},home" for user in range(30) for step in range(1, 9)]
    (folder / "plays.csv").write_text("user,item,place\n" + "\n".join(plays) + "\n")
    songs = [
        f"i{item:02},Song {item} of the {'North' if item % 3 else 'South'},"
        f"{'jazz' if item % 2 else 'rock'},{item / 10},{'true' if item % 5 == 0 else 'false'}"
        for item in range(40)
    ]
    (folder / "songs.csv").write_text("item,title,genre,price,live\n" + "\n".join(songs) + "\n")
    made = {}
    for seed, name in enumerate(("first", "second"), start=1):
        (folder / f"{name}.yaml").write_text(CONFIG.format(seed=seed, l2=5 * 20**seed))
        run = hybridrec.run(folder / f"{name}.yaml", plugins=[MOODY], runs=folder / "runs", store=folder / "store")
        made[name] = run.folder / "bundle.hybridrec"
    return made


class Served:
    """A dispatcher within the test's event loop, and short ways to ask it."""

    def __init__(self, dispatcher, metrics):
        self.dispatcher = dispatcher
        self.metrics = metrics

    async def answer(self, **request):
        served = await self.dispatcher.recommend(
            RecommendRequest.model_validate({"id": "r", "time": 1e9, "pipeline": "hybrid"} | request)
        )
        return orjson.loads(served.body)

    async def ids(self, **request):
        return [place["id"] for place in (await self.answer(**request))["items"]]

    async def ask(self, method, **arguments):
        return orjson.loads(await self.dispatcher.ask(method, arguments))


@pytest.fixture
def serving(bundles):
    """Runs an asynchronous test against a dispatcher with real workers."""

    def run(test, bundle="first", state=None, **settings):
        path = bundles.get(bundle, bundle)
        made = ServerSettings(bundle=path, plugins=(MOODY,), **({"deadline": 5.0} | settings))

        async def main():
            metrics = ServerMetrics()
            dispatcher = WorkerDispatcher(made, metrics, state)
            await dispatcher.start()
            try:
                await test(Served(dispatcher, metrics))
            finally:
                await dispatcher.stop(2.0)

        asyncio.run(main())

    return run
