# SPDX-License-Identifier: Apache-2.0
"""Object stores, against one that we did not write."""
import http.client
import os


def test_the_store_keeps_objects_and_wants_signatures(swift):
    bucket = swift.make_bucket("instrument")
    content = os.urandom(100_000)
    swift.put(bucket, "a/b", content)
    assert swift.get(bucket, "a/b") == content
    assert swift.keys(bucket) == ["a/b"]
    connection = http.client.HTTPConnection(swift.endpoint, timeout=30)
    connection.request("GET", f"/{bucket}/a/b", headers={"Authorization": "AWS4-HMAC-SHA256 nothing"})
    assert connection.getresponse().status in (400, 403)
    connection.close()
