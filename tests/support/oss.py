# SPDX-License-Identifier: Apache-2.0
"""A double of Alibaba's object store: checks signatures of versions 1 and 4 as its documentation describes them, written
apart from our signer.  Keeps objects in memory; knows ranges and uploads in parts."""
import base64
import calendar
import email.utils
import hashlib
import hmac
import http.server
import re
import threading
import time
import urllib.parse

BUCKET = "bucket"
ACCESS_KEY_ID = "oss-key-id"
ACCESS_KEY_SECRET = "oss-Secret/key+x="
REGION = "cn-test-1"
MAX_SKEW_S = 15 * 60
SUBRESOURCES = ("acl", "partNumber", "uploadId", "uploads")


def _hmac(key, text, algorithm="sha256"):
    return hmac.new(key, text.encode(), algorithm).digest()


def _quote(text, safe=""):
    return urllib.parse.quote(text, safe=safe + "-._~")


class _Refusal(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **fields}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _parse(self):
        split = urllib.parse.urlsplit(self.path)
        self.key = urllib.parse.unquote(split.path).removeprefix("/")
        if not self.headers["Host"].startswith(f"{BUCKET}."):  # the bucket is in the path
            bucket, _, self.key = self.key.partition("/")
            if bucket != BUCKET:
                raise _Refusal(404, "NoSuchBucket")
        self.query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))

    def _check_time(self, then):
        if abs(time.time() - then) > MAX_SKEW_S:
            raise _Refusal(403, "RequestTimeTooSkewed")

    def _check_signature(self):
        authorization = self.headers.get("Authorization", "")
        fields = {name.lower(): value for name, value in self.headers.items()}
        if authorization.startswith("OSS "):
            self.server.versions.add(1)
            given, expected = authorization.removeprefix("OSS "), self._expected_v1(fields)
        elif authorization.startswith("OSS4-HMAC-SHA256 "):
            self.server.versions.add(4)
            given, expected = authorization.removeprefix("OSS4-HMAC-SHA256 "), self._expected_v4(fields, authorization)
        else:
            raise _Refusal(403, "AccessDenied")
        if not hmac.compare_digest(given, expected):
            raise _Refusal(403, "SignatureDoesNotMatch")

    def _expected_v1(self, fields):
        self._check_time(email.utils.parsedate_to_datetime(fields["x-oss-date"]).timestamp())
        oss = "".join(f"{name}:{fields[name]}\n" for name in sorted(fields) if name.startswith("x-oss-"))
        parts = [name + (f"={self.query[name]}" if self.query[name] else "") for name in sorted(self.query) if name in SUBRESOURCES]
        resource = f"/{BUCKET}/{self.key}" + ("?" + "&".join(parts) if parts else "")
        text = "\n".join([self.command, fields.get("content-md5", ""), fields.get("content-type", ""), fields["x-oss-date"],
                          oss + resource])
        return ACCESS_KEY_ID + ":" + base64.b64encode(_hmac(ACCESS_KEY_SECRET.encode(), text, "sha1")).decode()

    def _expected_v4(self, fields, authorization):
        moment = fields["x-oss-date"]
        self._check_time(calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ")))
        match = re.search(r"AdditionalHeaders=([^,]*),", authorization)
        additional = match[1].split(";") if match else []
        signed = sorted(name for name in fields
                        if name.startswith("x-oss-") or name in ("content-type", "content-md5") or name in additional)
        query = "&".join(_quote(name) + (f"={_quote(value)}" if value else "")
                         for name, value in sorted(self.query.items(), key=lambda pair: _quote(pair[0])))
        canonical = "\n".join([self.command, _quote(f"/{BUCKET}/{self.key}", "/"), query,
                               "".join(f"{name}:{fields[name].strip()}\n" for name in signed), ";".join(additional),
                               fields["x-oss-content-sha256"]])
        scope = f"{moment[:8]}/{REGION}/oss/aliyun_v4_request"
        text = f"OSS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"aliyun_v4{ACCESS_KEY_SECRET}".encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        names = f",AdditionalHeaders={';'.join(additional)}" if additional else ""
        return f"Credential={ACCESS_KEY_ID}/{scope}{names},Signature={_hmac(key, text).hex()}"

    def _handle(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._parse()
            self._check_signature()
            getattr(self, "_" + self.command.lower())(body)
        except _Refusal as refusal:
            self._answer(refusal.status, f"<Error><Code>{refusal.code}</Code></Error>".encode())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle

    def _get(self, _):
        if self.key not in self.server.objects:
            raise _Refusal(404, "NoSuchKey")
        content = self.server.objects[self.key]
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not match:
            self._answer(200, content)
            return
        first, last = int(match[1]), min(int(match[2]), len(content) - 1)
        if first > last:
            raise _Refusal(416, "InvalidRange")
        self._answer(206, content[first:last + 1], Content_Range=f"bytes {first}-{last}/{len(content)}")

    _head = _get

    def _put(self, body):
        if "uploadId" in self.query:
            self.server.uploads[self.query["uploadId"]][int(self.query["partNumber"])] = body
        else:
            self.server.objects[self.key] = body
        self._answer(200, ETag=f'"{hashlib.md5(body).hexdigest().upper()}"')

    def _post(self, body):
        if "uploads" in self.query:
            upload = f"upload-{len(self.server.uploads)}"
            self.server.uploads[upload] = {}
            self._answer(200, f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>".encode())
            return
        parts = self.server.uploads.pop(self.query["uploadId"])
        order = [int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)]
        if order != sorted(parts):
            raise _Refusal(400, "InvalidPart")
        self.server.objects[self.key] = b"".join(parts[number] for number in order)
        self._answer(200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def _delete(self, _):
        self.server.uploads.pop(self.query.get("uploadId"), None)
        self._answer(204)


class Oss:
    """Serves when the constructor returns.  Use it as a context manager."""

    bucket, access_key_id, access_key_secret, region = BUCKET, ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION

    def __init__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.objects = self.objects = {}   # by key
        self._server.uploads = self.uploads = {}   # that are not complete
        self._server.versions = self.versions = set()  # of the signatures that were checked
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
