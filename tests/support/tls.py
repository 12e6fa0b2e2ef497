# SPDX-License-Identifier: Apache-2.0
"""A certificate authority of one test, made with openssl."""
import pathlib
import ssl

from support.programs import run

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Authority:
    """Its certificate is `ca`; `issue` makes certificates for loopback, for servers and for clients."""

    def __init__(self, folder, name="Sluice test authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = self.folder / "ca.crt"
        self._key = self.folder / "ca.key"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.ca])

    def issue(self, name, *, key_options=("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"), names=NAMES, days=30):
        """Returns the paths of a new certificate and its key.  With 0 days it has ended already."""
        certificate, key, request = (self.folder / f"{name}.{suffix}" for suffix in ("crt", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(names + "\n")
        run(["openssl", "req", "-new", *key_options, "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request])
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", str(days),
             "-extfile", extensions, "-out", certificate])
        return certificate, key

    def server_context(self, name, **options):
        """For servers written in Python; `options` as of issue()."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(name, **options))
        return context
