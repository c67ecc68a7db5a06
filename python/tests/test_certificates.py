"""A file of root certificates is used when it is whole, valid and whose it should be."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Ended
from sqlalchemy import make_url
from tls_servers import make_leaf, make_root

from dhafnck_db import certificates
from dhafnck_db.endpoints import DOWNLOADED_ROOTS, Endpoint
from dhafnck_db.errors import ConfigurationError
from dhafnck_db.target import current_target

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]

PROD = {
    "DATABASE_TYPE": "supabase",
    "SUPABASE_URL": "https://abcdefghijklmnopqrst.supabase.co",
    "SUPABASE_DB_PASSWORD": "secret",
}


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    """Two root certificates in PEM form, as two files would hold them."""
    return [make_root(tmp_path, name).certificate.read_text() for name in ("one", "two")]


def sums(texts: list[str]) -> dict[str, str]:
    return {hashlib.sha256(text.encode()).hexdigest(): f"ca-{i}" for i, text in enumerate(texts)}


def endpoint(path: Path) -> Endpoint:
    url = make_url("postgresql://u@h/d")
    return Endpoint(url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(path)}))


@pytest.mark.parametrize("join", ["", "\n", "# a comment\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_bundle_is_known_by_its_parts(
    tmp_path: Path, texts: list[str], join: str, newline: str
) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text(join.join(texts).rstrip("\n"), newline=newline)
    found = certificates.read(bundle, sums(texts))
    assert (found.vendor, found.others, str(found)) == (("ca-0", "ca-1"), 0, "ca-0, ca-1")


def test_one_changed_byte_makes_it_another_certificate(tmp_path: Path, texts: list[str]) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("".join(texts))
    found = certificates.read(bundle, sums([texts[0], texts[1].replace("M", "N", 1)]))
    assert (found.vendor, found.others) == (("ca-0",), 1)


def test_downloaded_file_holds_the_vendors_roots_alone(
    configure: Configure, tmp_path: Path, texts: list[str]
) -> None:
    configure(PROD)
    DOWNLOADED_ROOTS.parent.mkdir()
    DOWNLOADED_ROOTS.write_text("".join(texts))
    way = current_target().admin
    assert (way.sslmode, way.sslrootcert) == ("verify-full", DOWNLOADED_ROOTS)
    assert certificates.require_usable(way, sums(texts)) is not None
    with pytest.raises(ConfigurationError, match="certificate-foreign"):
        certificates.require_usable(way, sums(texts[:1]))
    own = certificates.require_usable(endpoint(DOWNLOADED_ROOTS.absolute()), sums([]))
    assert str(own) == "2 of your own"


def test_file_of_the_user_wins_over_the_downloaded_one(
    configure: Configure, tmp_path: Path
) -> None:
    configure({**PROD, "DB_SSLROOTCERT": "mine.crt"})
    DOWNLOADED_ROOTS.parent.mkdir()
    DOWNLOADED_ROOTS.write_text("")
    assert current_target().admin.sslrootcert == Path("mine.crt")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "No such file"),
        ("", "no certificate"),
        ("nonsense", "no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a broken certificate"),
    ],
)
def test_file_that_is_no_certificate_is_refused_without_its_path(
    run: Run, tmp_path: Path, content: str | None, cause: str
) -> None:
    file = tmp_path / "canary-7c1e.crt"
    if content is not None:
        file.write_text(content)
    ended = run("schema", "current", env={**PROD, "DB_SSLROOTCERT": str(file)})
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error[certificate-unreadable]: ")
    assert "DB_SSLROOTCERT" in ended.err
    assert cause in ended.err
    assert "canary" not in ended.err


def test_expired_root_is_refused_until_another_one_is_valid(tmp_path: Path) -> None:
    root = make_root(tmp_path, "root")
    dates = ("20200101000000Z", "20200201000000Z")
    over = make_leaf(tmp_path, "over", root, "over", dates, authority=True)
    with pytest.raises(ConfigurationError, match="certificate-expired"):
        certificates.require_usable(endpoint(over.certificate))
    over.certificate.write_text(over.certificate.read_text() + root.certificate.read_text())
    assert certificates.require_usable(endpoint(over.certificate)) is not None


def test_sums_are_those_of_the_facts() -> None:
    facts = ROOT.parent / "shared" / "facts" / "supabase.md"
    if facts.is_file():
        text = facts.read_text()
        for found, name in certificates.VENDOR_ROOTS.items():
            assert f"{found}`" in text.split(f"{name}.crt", 1)[1]
    assert sorted(map(len, certificates.VENDOR_ROOTS)) == [64, 64]
    assert sorted(certificates.VENDOR_ROOTS.values()) == ["prod-ca-2021", "prod-ca-2025"]
