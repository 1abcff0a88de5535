import pytest
from pydantic import ValidationError

from proxy.config.cors import Cors


@pytest.mark.parametrize("said", ["https://a", ["https://a"], {"origins": "https://a"}])
def test_origins_alone_are_enough(said: object) -> None:
    cors = Cors.model_validate(said)
    assert (cors.origins, cors.credentials, cors.max_age) == (["https://a"], False, 600)


@pytest.mark.parametrize("said", [{}, {"origins": []}, {"origins": ["*"], "max_age": 5}])
def test_what_says_nothing_is_wrong(said: object) -> None:
    with pytest.raises(ValidationError):
        Cors.model_validate(said)
