from proxy.upstream.exchange import Head
from proxy.upstream.http1.heads import MAX_KNOWN, MAX_SIZE, Heads

HEAD = Head(200, [(b"Content-Length", b"2")])
DATA = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def test_an_answer_whose_head_is_known_is_found_with_its_body() -> None:
    heads = Heads()
    assert heads.find(DATA + b"ab") is None
    heads.learn(DATA + b"ab", HEAD, 2)
    assert heads.find(DATA + b"xy") == (HEAD, b"xy")


def test_more_or_less_than_one_answer_is_not_found() -> None:
    heads = Heads()
    heads.learn(DATA + b"ab", HEAD, 2)
    for data in (DATA, DATA + b"a", DATA + b"abc", b"", b"\r\n\r\n", DATA[:10]):
        assert heads.find(data) is None


def test_only_what_is_one_answer_is_learned_and_never_too_much() -> None:
    heads = Heads()
    heads.learn(DATA + b"abc", HEAD, 2)
    heads.learn(b"A" * MAX_SIZE + b"B\r\n\r\nab", HEAD, 2)
    assert len(heads) == 0
    for number in range(MAX_KNOWN + 5):
        heads.learn(b"%d\r\n\r\n" % number, HEAD, 0)
    assert len(heads) == 5
