"""Clusters of images that show the same patient or the same radiograph."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def cluster(owners: Sequence[str], links: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Assign images that must stay in one split to clusters.

    Args:
        owners: Owner of each image, usually its patient; images of one owner belong together.
        links: Pairs of positions of further images that belong together, such as duplicates.

    Returns:
        (N,) int64 cluster of each image, numbered by the position of its first image: the connected
        components of owners and links.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first: dict[str, int] = {}
    edges = [(i, first.setdefault(owner, i)) for i, owner in enumerate(owners)]
    edges.extend(links)
    ends = np.array(edges, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), bool), ends.T), shape=(len(owners), len(owners)))
    _, labels = connected_components(graph, directed=False)
    _, starts, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return starts[inverse].astype(np.int64)
