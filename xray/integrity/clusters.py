"""Images that belong together: of one patient, or of one exposure."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def cluster(owners: Sequence[str], links: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Number the clusters of images that must not be split.

    Args:
        owners: Whose image each is; images of one owner belong together.
        links: Positions of further images that belong together.

    Returns:
        (N,) int64: each image's cluster, named by the position of its first image. Two images
        share one if a chain of owners and links leads from one to the other.
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
