# SPDX-License-Identifier: Apache-2.0
"""Images that nydus-image wrote: those of the supported kinds are served, the others refused by name."""
import os

import pytest

from support import made
from support.daemon import scan
from support.programs import drop_caches

REFUSED = {"batch-64k": "batch", "zran": "zran", "encrypt": "encrypt"}


@pytest.mark.parametrize("engine", ["io_uring", "epoll"])
@pytest.mark.parametrize("case", made.SERVED)
def test_image_of_nydus_is_served(case, engine, start_daemon):
    daemon = start_daemon("--engine", engine)
    mountpoint = daemon.mount(made.reference(case))
    for _ in range(2):
        made.expect_tree(case, scan(mountpoint))
        drop_caches()


@pytest.mark.parametrize("case, feature", REFUSED.items())
def test_image_with_a_feature_of_later_is_refused_by_name(case, feature, start_daemon):
    daemon = start_daemon()
    result = daemon.sluice("mount", made.reference(case), daemon.mountpoint(), expect=1)
    assert feature in result.stderr.lower()
    assert any(blob in result.stderr for blob in os.listdir(made.MADE / case / "blobs"))
    assert daemon.status()["mounts"] == 0
