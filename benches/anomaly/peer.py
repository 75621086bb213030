"""scikit-learn's isolation forest over the rows of a CSV file without a header.

peer.py ROWS REPEATS TREES...: for each number of trees a line: milliseconds to fit, to score, then the score of every row."""
import sys
import time

import numpy as np
from sklearn.ensemble import IsolationForest

rows = np.loadtxt(sys.argv[1], delimiter=",", ndmin=2)
repeats = int(sys.argv[2])
for trees in map(int, sys.argv[3:]):
    fit = score = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        forest = IsolationForest(n_estimators=trees, max_samples=min(256, len(rows)), random_state=1, n_jobs=1).fit(rows)
        fit = min(fit, (time.perf_counter() - started) * 1e3)
        started = time.perf_counter()
        scores = -forest.score_samples(rows)
        score = min(score, (time.perf_counter() - started) * 1e3)
    print(fit, score, *scores)
