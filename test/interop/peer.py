"""
in-toto's reference implementation behind one long-lived process: a request per line in, an answer per line out, both JSON.
Called by peer.ts only. It must never judge anything itself: each operation hands its arguments to in_toto as that library's own
commands do, and says what came back.
"""

import json
import logging
import os
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from in_toto import runlib, verifylib
from in_toto.models._signer import (
    load_crypto_signer_from_pkcs8_file,
    load_public_key_from_file,
)
from in_toto.models.layout import Layout
from in_toto.models.link import FILENAME_FORMAT, Link
from in_toto.models.metadata import Envelope, Metablock, Metadata
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import SSlibKey

HOME = os.getcwd()


def verify(dir, layout, keys, links, substitute=None):
    """A verdict as `in-toto-verify` reaches it; the working directory is the one that inspections see."""
    os.chdir(dir)
    try:
        metadata = Metadata.load(layout)
        trusted = {}
        for path in keys:
            key = load_public_key_from_file(path)
            trusted[key["keyid"]] = key
        verifylib.in_toto_verify(metadata, trusted, links, substitution_parameters=substitute)
    finally:
        os.chdir(HOME)
    return {}


def load(path):
    """Whether a file of metadata can be read at all."""
    Metadata.load(path).get_payload()
    return {}


def canonical(values):
    """The canonical JSON of each value, as hex of its UTF-8."""
    return {"hex": [encode_canonical(value).encode("utf-8").hex() for value in values]}


def keyid(pem):
    """Key id and scheme of a public key."""
    key = SSlibKey.from_crypto(load_pem_public_key(pem.encode()))
    return {"keyid": key.keyid, "scheme": key.scheme}


def key(path):
    """The key object as in-toto writes it into a layout."""
    return {"key": load_public_key_from_file(path)}


def sign(payload, keys, format, path):
    """Puts a link or layout into an envelope, signs it with each private key, writes it."""
    model = {"link": Link, "layout": Layout}[payload["_type"]].read(payload)
    metadata = Envelope.from_signable(model) if format == "dsse" else Metablock(signed=model)
    for private in keys:
        metadata.create_signature(load_crypto_signer_from_pkcs8_file(private))
    metadata.dump(path)
    return {}


def record(dir, name, key, materials, products, command, format):
    """A step carried out and recorded as `in-toto-run` does it; the link is written to the folder."""
    os.chdir(dir)
    try:
        signer = load_crypto_signer_from_pkcs8_file(key)
        runlib.in_toto_run(
            name, materials, products, command, signer=signer, use_dsse=format == "dsse", metadata_directory=dir
        )
        return {"file": FILENAME_FORMAT.format(step_name=name, keyid=signer.public_key.keyid)}
    finally:
        os.chdir(HOME)


OPERATIONS = {f.__name__: f for f in (verify, load, canonical, keyid, key, sign, record)}


def main():
    # What in-toto or an inspection prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout = open(os.devnull, "w")
    logging.disable(logging.CRITICAL)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        operation = OPERATIONS[request.pop("op")]
        try:
            answer = {"ok": True, **operation(**request)}
        except Exception as error:
            answer = {"ok": False, "kind": type(error).__name__, "message": str(error)[:2000]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


main()
