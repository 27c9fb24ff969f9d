from __future__ import annotations

import numpy as np
import pytest

from anruflotse.understanding import classifier, training
from anruflotse.understanding.model import Model
from tests.understanding.toys import DEPARTMENTS, ToyEncoder, lines


@pytest.fixture(scope="session")
def toy_model() -> Model:
    encoder = ToyEncoder()
    vectors = encoder.encode([line.text for line in lines()])
    return training.fit(lines(), np.asarray(vectors), encoder.fingerprint, training.Recipe(0.5, 0.6))


@pytest.fixture
def toy(toy_model: Model) -> classifier.Fused:
    return classifier.Fused(toy_model, ToyEncoder(), DEPARTMENTS)
