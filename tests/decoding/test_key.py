"""A server's key: read from its variable, sent to the server, shown to nobody."""

import pytest

from tests.asking import HI, answered, asker, complaint
from tests.playing import Played, Reply


def test_a_key_comes_from_its_variable_alone(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is read at the call, sent to the server, and kept nowhere; OPENAI_API_KEY goes nowhere uncalled."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    asker(server.url).check()
    asking = asker(server.url, api_key_env="TINY_KEY")
    assert "TINY_KEY, which is not set" in complaint(asking.check)
    monkeypatch.setenv("TINY_KEY", "sk-secret")
    asking.check()
    assert server.keys == ["Bearer none", "Bearer sk-secret"]
    assert "sk-secret" not in str(vars(asking))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_not_shown(server: Played, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """A server that refuses the key leaves an error with the variable's name."""
    monkeypatch.setenv("TINY_KEY", "sk-secret")
    server.replies["/models"] = [Reply('{"error": {"message": "sk-secret is wrong"}}', status)]
    said = complaint(asker(server.url, api_key_env="TINY_KEY").check)
    assert f"does not let us in (HTTP {status}): set TINY_KEY" in said
    assert "it says: *** is wrong" in said
    assert "sk-secret" not in said


def test_a_key_is_stripped(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was read from a file with its line break is sent without, and blotted out with and without."""
    monkeypatch.setenv("TINY_KEY", " sk-secret\r\n")
    asking = asker(server.url, api_key_env="TINY_KEY")
    asking.check()
    assert server.keys == ["Bearer sk-secret"]
    server.replies["/chat/completions"] = [Reply('{"error": {"message": "sk-secret has no credit"}}', 400)]
    assert "*** has no credit" in complaint(asking.ask, HI)


@pytest.mark.parametrize("key", ["sk-sécret", "sk-se\ncret", "sk-se\x7fcret", " \n"])
def test_what_no_header_can_hold_is_named_not_shown(server: Played, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """A key that cannot be sent is an error that names its variable alone; no part of the key is in it."""
    monkeypatch.setenv("TINY_KEY", key)
    for action in (asker(server.url, api_key_env="TINY_KEY").check, lambda: answered(server, api_key_env="TINY_KEY")):
        said = complaint(action)
        assert said.startswith("TINY_KEY, for ")
        assert "sk-" not in said
        assert "cret" not in said
    assert server.keys == []


def test_a_server_that_repeats_the_key_is_not_quoted(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in a server's own words is blotted out."""
    monkeypatch.setenv("TINY_KEY", "sk-secret")
    server.replies["/chat/completions"] = [Reply('{"error": {"message": "sk-secret has no credit"}}', 400)]
    assert "*** has no credit" in complaint(asker(server.url, api_key_env="TINY_KEY").ask, HI)


def test_a_password_in_the_url_is_refused() -> None:
    """A URL, which stands in records, holds no secret; nor does the error."""
    assert "hush" not in complaint(asker, "http://me:hush@127.0.0.1/v1")
