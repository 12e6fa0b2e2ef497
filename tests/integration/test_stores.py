# SPDX-License-Identifier: Apache-2.0
"""Blobs in an object store that we did not write: what a backend reads there, and what it says when it cannot."""
import hashlib
import http.client
import json
import random

import pytest

from support.oss import REGION, Oss
from support.programs import BUILD, run

READ_BLOB = BUILD / "tests" / "unit" / "backend" / "read_blob"
SIZE = 300_000
CONTENT = random.Random("stores").randbytes(SIZE)
ID = hashlib.sha256(CONTENT).hexdigest()
PREFIX = "some where/nydus-"


def test_the_store_keeps_objects_and_wants_signatures(swift):
    bucket = swift.make_bucket("instrument")
    swift.put(bucket, "a/b", CONTENT)
    assert swift.get(bucket, "a/b") == CONTENT
    assert swift.keys(bucket) == ["a/b"]
    connection = http.client.HTTPConnection(swift.endpoint, timeout=30)
    connection.request("GET", f"/{bucket}/a/b", headers={"Authorization": "AWS4-HMAC-SHA256 nothing"})
    assert connection.getresponse().status in (400, 403)
    connection.close()


@pytest.fixture(scope="session")
def bucket(swift):
    name = swift.make_bucket("reads")
    swift.put(name, PREFIX + ID, CONTENT)
    return name


@pytest.fixture
def read(swift, bucket, work):
    """Reads a range of the blob; keywords change the configuration, None leaves a key out."""

    def do(offset=0, length=SIZE, *, blob=ID, skew=0, expect=0, environment=None, **changes):
        config = {"scheme": "http", "endpoint": swift.endpoint, "region": swift.region, "bucket_name": bucket,
                  "object_prefix": PREFIX, "access_key_id": swift.access_key, "access_key_secret": swift.secret_key,
                  "retry_limit": 0, **changes}
        path = work / "backend.json"
        path.write_text(json.dumps({"type": "s3", "config": {k: v for k, v in config.items() if v is not None}}))
        result = run([READ_BLOB, path, blob, offset, length, skew], expect=expect, text=False, errors=None,
                     env={"HOME": str(work), **(environment or {})})
        error = result.stderr.decode()
        assert swift.secret_key not in error and "Signature=" not in error
        return error if expect else result.stdout

    return do


@pytest.mark.parametrize("offset, length", [(0, SIZE), (0, 1), (SIZE - 1, 1), (1, SIZE - 1), (65535, 2), (131072, 131072)])
def test_exactly_the_range_is_read(read, offset, length):
    assert read(offset, length) == CONTENT[offset:offset + length]


@pytest.mark.parametrize("offset, length", [(0, SIZE + 1), (SIZE - 1, 2), (SIZE, 1), (10 * SIZE, 1)])
def test_a_range_that_the_blob_does_not_have_is_an_error(read, offset, length):
    assert read(offset, length, expect=1).startswith("corrupt: ")


def test_a_bucket_can_be_part_of_the_host_name(read, swift):
    endpoint = f"{swift.domain}:{swift.port}"
    assert read(endpoint=endpoint, virtual_hosted=True) == CONTENT


def test_a_blob_that_is_missing_is_named(read):
    missing = "0" * 64
    error = read(blob=missing, expect=1)
    assert error.startswith("not-found: ") and missing in error


def test_a_wrong_secret_is_refused_and_the_reason_told(read):
    error = read(access_key_secret="wrong", expect=1)
    assert error.startswith("permission: ") and "SignatureDoesNotMatch" in error and ID in error


def test_a_clock_that_is_wrong_is_told(read):
    assert "RequestTimeTooSkewed" in read(skew=-3600, expect=1)
    assert "RequestTimeTooSkewed" in read(skew=3600, expect=1)
    assert read(skew=60) == CONTENT


def test_a_wrong_region_is_told(read):
    assert read(region="us-west-9", expect=1).startswith("permission: ")


def test_nobody_reads_anonymously_what_is_not_public(read):
    assert read(anonymous=True, access_key_id=None, access_key_secret=None, expect=1).startswith("permission: ")


def test_keys_come_from_the_environment(read, swift):
    environment = {"AWS_ACCESS_KEY_ID": swift.access_key, "AWS_SECRET_ACCESS_KEY": swift.secret_key}
    assert read(access_key_id=None, access_key_secret=None, environment=environment) == CONTENT


@pytest.mark.parametrize("profile", [None, "other"])
def test_keys_come_from_the_credentials_file(read, swift, work, profile):
    (work / ".aws").mkdir()
    (work / ".aws" / "credentials").write_text(
        f"[{profile or 'default'}]\naws_access_key_id = {swift.access_key}\naws_secret_access_key={swift.secret_key}\n"
        "[third]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n")
    assert read(access_key_id=None, access_key_secret=None, profile=profile) == CONTENT


def test_without_keys_the_places_are_named(read):
    error = read(access_key_id=None, access_key_secret=None, expect=1)
    assert error.startswith("not-found: ") and "AWS_ACCESS_KEY_ID" in error and "anonymous" in error


@pytest.fixture
def oss():
    with Oss() as server:
        yield server


def oss_config(server, path, **changes):
    config = {"scheme": "http", "endpoint": f"localhost:{server.port}", "bucket_name": server.bucket, "object_prefix": PREFIX,
              "access_key_id": server.access_key_id, "access_key_secret": server.access_key_secret, "retry_limit": 0, **changes}
    path.write_text(json.dumps({"type": "oss", "config": config}))
    return path


@pytest.mark.parametrize("hosted", [True, False])
@pytest.mark.parametrize("region, version", [(None, 1), (REGION, 4)])
def test_oss_accepts_our_signatures(oss, work, region, version, hosted):
    oss.objects[PREFIX + ID] = CONTENT
    changes = {"region": region} if region else {}
    path = oss_config(oss, work / "oss.json", virtual_hosted=hosted, **changes)
    result = run([READ_BLOB, path, ID, 1000, 70_000], text=False, errors=None)
    assert result.stdout == CONTENT[1000:71_000]
    assert oss.versions == {version}


@pytest.mark.parametrize("region", [None, REGION])
def test_oss_says_why_it_refuses(oss, work, region):
    oss.objects[PREFIX + ID] = CONTENT
    changes = {"region": region} if region else {}
    path = oss_config(oss, work / "oss.json", **changes)
    assert "RequestTimeTooSkewed" in run([READ_BLOB, path, ID, 0, 1, -3600], expect=1).stderr
    path = oss_config(oss, work / "oss.json", **{**changes, "access_key_secret": "wrong"})
    assert "SignatureDoesNotMatch" in run([READ_BLOB, path, ID, 0, 1], expect=1).stderr
