# SPDX-License-Identifier: Apache-2.0
"""sluice convert --push-blobs: the blobs of an image are in the store when the image is complete."""
import json
import os
import random
import signal
import socket
import subprocess

import pytest

from support import converted
from support.oss import Oss
from support.programs import SLUICE, sluice
from support.tar import TarWriter

LARGE = 40 * 2**20  # bytes: more than one part of an upload


@pytest.fixture
def environment(swift):
    return {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": swift.access_key, "AWS_SECRET_ACCESS_KEY": swift.secret_key,
            "AWS_ENDPOINT_URL_S3": f"http://{swift.endpoint}", "AWS_REGION": swift.region}


@pytest.fixture(scope="session")
def large_tar(tmp_path_factory):
    """One file that no compressor makes smaller."""
    path = tmp_path_factory.mktemp("push") / "large.tar"
    with open(path, "wb") as out, TarWriter(out) as writer:
        writer.add("large", data=random.Random("push").randbytes(LARGE))
    return f"tar:{path}"


def push(source, target, place, environment, **options):
    return sluice("convert", "--quiet", "--push-blobs", place, source, f"oci:{target}:{converted.TAG}", env=environment,
                  **options)


def test_every_blob_is_in_the_store_and_nothing_else(swift, environment, image, work):
    bucket = swift.make_bucket("push-odd")
    push(image("odd").reference, work / "out", f"s3://{bucket}/some/where", environment)
    blobs = converted.Converted(work / "out").blobs()
    assert len(blobs) > 1
    assert swift.keys(bucket) == sorted(f"some/where/{blob}" for blob in blobs)
    for blob in blobs:
        assert swift.get(bucket, f"some/where/{blob}") == converted.Converted(work / "out").blob_path(blob).read_bytes()


def test_a_large_blob_goes_in_parts_and_is_not_sent_again(swift, environment, large_tar, work):
    bucket = swift.make_bucket("push-large")
    push(large_tar, work / "out", f"s3://{bucket}", environment)
    image = converted.Converted(work / "out")
    blob, = image.blobs()
    assert swift.get(bucket, blob) == image.blob_path(blob).read_bytes()
    assert swift.keys(bucket) == [blob]
    written = swift.timestamp(bucket, blob)
    push(large_tar, work / "again", f"s3://{bucket}", environment)
    assert swift.timestamp(bucket, blob) == written


def test_an_image_whose_blobs_cannot_be_pushed_is_not_made(swift, environment, image, work):
    bucket = swift.make_bucket("push-wrong")
    wrong = {**environment, "AWS_SECRET_ACCESS_KEY": "wrong-SECRET"}
    result = push(image("odd").reference, work / "out", f"s3://{bucket}", wrong, expect=1)
    assert "SignatureDoesNotMatch" in result.stderr and bucket in result.stderr
    assert "wrong-SECRET" not in result.stderr and "Signature=" not in result.stderr
    assert not (work / "out").exists()
    assert swift.keys(bucket) == []


@pytest.mark.parametrize("place", ["s3://", "gopher://x", "s3://bucket/../x"])
def test_a_place_that_is_none_is_a_mistake_of_the_user(environment, image, work, place):
    result = push(image("odd").reference, work / "out", place, environment, expect=None)
    assert result.returncode != 0 and place in result.stderr
    assert not (work / "out").exists()


def test_a_configuration_file_names_the_place(large_tar, work):
    with Oss() as oss:
        (work / "oss.json").write_text(json.dumps({"type": "oss", "config": {
            "scheme": "http", "endpoint": f"localhost:{oss.port}", "bucket_name": oss.bucket, "object_prefix": "p-",
            "region": oss.region, "access_key_id": oss.access_key_id, "access_key_secret": oss.access_key_secret}}))
        push(large_tar, work / "out", str(work / "oss.json"), {"PATH": os.environ["PATH"]})
        image = converted.Converted(work / "out")
        assert oss.objects == {f"p-{blob}": image.blob_path(blob).read_bytes() for blob in image.blobs()}
        assert oss.uploads == {}


def test_a_signal_ends_a_push_that_hangs(environment, image, work):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = {**environment, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        command = [SLUICE, "convert", "--quiet", "--push-blobs", "s3://bucket", image("odd").reference, f"oci:{work}/out:x"]
        with subprocess.Popen([str(word) for word in command], env=hanging) as process:
            silent.settimeout(60)
            with silent.accept()[0]:
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == -signal.SIGINT
    assert not (work / "out").exists()
