"""ALS of RecTools behind Starlette and uvicorn: `serve_rectools.py PAIRS.parquet PORT`.

The thinnest server that takes a user and answers with ids and scores: no validation, no state, no log. The model is
asked within the event loop, since another thread would only wait for the interpreter.
"""

import json
import sys

import job
import numpy as np
import pandas as pd
import uvicorn
from implicit.cpu.als import AlternatingLeastSquares
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import ImplicitALSWrapperModel
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

frame = pd.read_parquet(sys.argv[1], columns=["user", "item"]).astype(str)
frame = frame.rename(columns={"user": Columns.User, "item": Columns.Item})
frame[Columns.Weight], frame[Columns.Datetime] = job.CONFIDENCE, np.datetime64("2020-01-01")
dataset = Dataset.construct(frame)
als = AlternatingLeastSquares(factors=job.FACTORS, regularization=job.REGULARIZATION, iterations=1, random_state=0)
model = ImplicitALSWrapperModel(als, recommend_n_threads=1)
model.fit(dataset)


async def recommend(request):
    """Answer with the best items of a known user."""
    asked = json.loads(await request.body())
    slate = model.recommend(users=[asked["user"]], dataset=dataset, k=asked["n"], filter_viewed=True)
    items = zip(slate[Columns.Item].tolist(), slate[Columns.Score].tolist(), strict=True)
    return JSONResponse({"items": [{"id": item, "score": score} for item, score in items]})


async def health(request):
    """Answer that the server runs."""
    return PlainTextResponse("ready")


app = Starlette(
    routes=[Route("/v1/recommend", recommend, methods=["POST"]), Route("/health", health)],
)
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
