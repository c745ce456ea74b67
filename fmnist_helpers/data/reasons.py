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
    return text + _about_certificates(text) + _about_proxy(proxy, secret)


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


def _about_certificates(text: str) -> str:
    if not re.search("certificate|X509|PEM", text, re.IGNORECASE):
        return ""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name):
            return f", where {name} names the certificates to trust, {os.environ[name]}: correct or unset it"
    return (
        ", where the certificates to trust are those of certifi: update certifi, or let REQUESTS_CA_BUNDLE name "
        "the certificates of your network"
    )


def _about_proxy(proxy: str, secret: str) -> str:
    if not proxy:
        return ""
    names = [name for name, value in os.environ.items() if name.lower().endswith("_proxy") and value == proxy]
    named = f"{names[0]} names: correct or unset it" if names else "the settings of this computer name"
    return f", through the proxy {proxy.replace(f'{secret}@', '***@') if secret else proxy} that {named}"


def _proxy(address: str) -> str:
    """Return the proxy that requests asks for an address, or nothing."""
    from requests.utils import get_environ_proxies, select_proxy

    with suppress(ValueError):
        return select_proxy(address, get_environ_proxies(address)) or ""
    return ""
