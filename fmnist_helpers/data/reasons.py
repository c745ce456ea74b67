"""Why a mirror gave no files, in one line that names the culprit and shows no password."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from fmnist_helpers.data.download import Place, is_address

MOST_LETTERS = 200


def explain(error: Exception, place: Place) -> str:
    """Return why ``place`` gave no files: the innermost reason, and what stands between it and this computer.

    Args:
        error: what the download raised.
        place: what was asked.
    """
    if place.flaw or not is_address(place.path):
        return place.flaw or in_one_line(error)
    text, proxy = in_one_line(error), _proxy(place.path)
    secret = proxy.split("://")[-1].rpartition("@")[0]
    for piece in sorted(filter(None, re.split("[:/@?#]", secret)), key=len, reverse=True):
        text = text.replace(piece, "***")
    return text + _about_certificates(error, text) + _about_proxy(error, proxy, secret)


def in_one_line(error: BaseException) -> str:
    """Return what an error says in at most 200 letters, without names and passwords in addresses."""
    # requests wraps the reason several times; the innermost error says it in plain words.
    cause = error
    while inner := cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__):
        cause = inner
    text = str(error) if cause is error else f"{type(error).__name__}: {cause}"
    text = re.sub(r"(?<=://)\S*@", "***@", " ".join(text.split())).rstrip(".")
    # Some reasons stand at the start (a wrong checksum), some at the end (connection refused): keep both.
    return text if len(text) <= MOST_LETTERS else f"{text[:100]} ... {text[-95:]}"


def _about_certificates(error: Exception, text: str) -> str:
    from requests.exceptions import SSLError

    # requests raises an OSError for a bundle that is not there; OpenSSL names what it cannot read by its format.
    bundle = "CA certificate bundle" in text or (
        isinstance(error, SSLError) and re.search("certificate|X509|PEM", text) and "mismatch" not in text
    )
    if not bundle:
        return ""
    clock = " (is the clock of this computer right?)" if re.search("expired|not yet valid", text) else ""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name):
            return (
                f"{clock}, where the environment variable {name} names the certificates to trust, {os.environ[name]}: "
                f"{_correct([name])}"
            )
    return (
        f"{clock}, where the certificates to trust are those of certifi: run %pip install --upgrade certifi in a cell, "
        "or let the environment variable REQUESTS_CA_BUNDLE name a file with the certificates of your network"
    )


def _correct(names: list[str]) -> str:
    """Say what to do about environment variables that mislead."""
    variables = ", ".join(f'os.environ["{name}"]' for name in names)
    return f"correct {'it' if len(names) == 1 else 'them'}, or run del {variables} in a cell"


def _about_proxy(error: Exception, proxy: str, secret: str) -> str:
    from requests import HTTPError

    if not proxy:
        return ""
    names = [name for name, value in os.environ.items() if name.lower().endswith("_proxy") and value == proxy]
    named = "the settings of this computer name"
    if names:
        # Each of them: without the first, Python would take the next.
        one = len(names) == 1
        named = f"the environment variable{'' if one else 's'} {' and '.join(names)} name{'s' if one else ''}"
    # An answer such as 404 came from behind the proxy, or says itself what the proxy wants.
    advice = "" if isinstance(error, HTTPError) else f": {_correct(names) if names else 'correct them'}"
    return (
        f", through the proxy {proxy.replace(f'{secret}@', '***@') if secret else proxy} that {named}{advice}"
    )


def _proxy(address: str) -> str:
    """Return the proxy that requests asks for an address, or nothing."""
    from requests.utils import get_environ_proxies, select_proxy

    with suppress(ValueError):
        return select_proxy(address, get_environ_proxies(address)) or ""
    return ""
