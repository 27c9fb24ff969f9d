"""The language model the settings name: ours beside the classifier, a processor's behind the gate."""

from __future__ import annotations

from dataclasses import replace

from anruflotse.app.engines import Offer, Offers
from anruflotse.departments.catalogue import Catalogue
from anruflotse.settings import Settings
from anruflotse.understanding.advising import Advised
from anruflotse.understanding.llm import Endpoint, LanguageModel
from anruflotse.understanding.policy import Thresholds
from anruflotse.understanding.seams import Adviser, Classifier, Option


def with_language_model(settings: Settings, offers: Offers) -> Offers:
    """`offers` and, if the settings name a processor's language model, that. Raises `UnderstandingError` for its URL.

    What `offers` hold already stays.
    """
    wanted = settings.understanding.llm
    if wanted is None or wanted.processor is None or offers.adviser is not None:
        return offers
    endpoint, processor = _endpoint(settings), wanted.processor

    def make() -> Adviser:
        return LanguageModel(endpoint, processor)

    def close(model: Adviser) -> None:
        if isinstance(model, LanguageModel):
            model.close()

    return replace(offers, adviser=Offer("language model", processor, make, close))


def own_language_model(settings: Settings) -> LanguageModel | None:
    """The language model on the insurer's own machines, if the settings name one. Raises `UnderstandingError`."""
    wanted = settings.understanding.llm
    return None if wanted is None or wanted.processor is not None else LanguageModel(_endpoint(settings))


def second_opinion(
    local: Classifier, adviser: Adviser | None, catalogue: Catalogue, thresholds: Thresholds
) -> Classifier:
    """`local`, and in its doubt `adviser`, if there is one, about the catalogue's concerns that are enabled."""
    if adviser is None:
        return local
    options = {
        key: Option(key, concern.name, concern.description)
        for key, concern in catalogue.concerns.items()
        if concern.action is None and concern.enabled
    }
    return Advised(local, adviser, options, thresholds)


def _endpoint(settings: Settings) -> Endpoint:
    wanted = settings.understanding.llm
    if wanted is None:
        message = "the settings name no language model"
        raise ValueError(message)
    return Endpoint(
        url=wanted.url,
        model=wanted.model,
        api_key=None if wanted.api_key is None else wanted.api_key.get_secret_value(),
        timeout_seconds=wanted.timeout_seconds,
        ca_file=wanted.ca_file,
    )
