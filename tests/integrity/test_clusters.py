from xray.integrity.clusters import cluster


def test_connected_owners_and_links_are_one_cluster():
    #  a - a   b   c - (link) - b'   d
    owners = ["a", "b", "a", "c", "d"]
    assert cluster(owners, []).tolist() == [0, 1, 0, 3, 4]
    assert cluster(owners, [(1, 3)]).tolist() == [0, 1, 0, 1, 4]
    assert cluster(owners, [(1, 3), (2, 3)]).tolist() == [0, 0, 0, 0, 4]


def test_no_images():
    assert cluster([], []).tolist() == []
