"""Settings of augmentations: which ones a view passes through, and how the two views of a pair share them."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer, model_validator

from mast.augment.operations import AUGMENTATIONS
from mast.settings import Positive, Probability, StrictModel

NAMES: tuple[str, ...] = tuple(
    sorted(AUGMENTATIONS, key=lambda name: (not AUGMENTATIONS[name].geometric, AUGMENTATIONS[name].place, name))
)
"""Names of all augmentations, in the order in which a policy applies them."""

AugmentationName = Literal[*NAMES]

FIFTEEN = (
    *("crop", "flip", "rotate", "shear_x", "shear_y", "translate_x", "translate_y", "jitter", "grayscale"),
    *("blur", "posterize", "solarize", "equalize", "autocontrast", "sharpness"),
)
"""Names of the atomic augmentations of MAST-15, as inferred (docs/understand/method.md); the first of this project."""

SETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "mast5": ("crop", "flip", "jitter", "grayscale", "blur"),
    "vicreg": ("crop", "flip", "jitter", "grayscale", "blur", "solarize"),
    "mast15": FIFTEEN,
}
"""Named augmentation sets: `mast5` and `mast15` are inferred; `vicreg` adds VICReg's solarize to `mast5`."""


def _sets() -> str:
    """Return the description of the key `augmentations`, with the members of each named set."""
    sets = "; ".join(f"`{name}`: {', '.join(members) or 'no augmentation'}" for name, members in SETS.items())
    order = "The order of application is fixed: it is the order of the keys below."
    return f"A named set, or a list of names. {order} The named sets are {sets}."


class _Policy(StrictModel):
    """Augmentations that a view passes through, and their strengths."""

    augmentations: Annotated[Literal[*SETS] | tuple[AugmentationName, ...], Field(description=_sets())] = "mast5"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the augmentations in use, in the order of application."""
        chosen = SETS[self.augmentations] if isinstance(self.augmentations, str) else self.augmentations
        return tuple(name for name in NAMES if name in chosen)

    def require(self, names: Iterable[str], key: str) -> None:
        """Raise ValueError for the first of `names` that is not in use; `key` is the key of `names`."""
        for name in names:
            if name not in self.names:
                raise ValueError(f"{key}: {name!r} is not in policy.augmentations; leave it out, or add it there")

    def pruned(self) -> Self:
        """Return the same policy without the settings of unused augmentations (set to None)."""
        return self.model_copy(update={name: None for name in NAMES if name not in self.names})

    @model_validator(mode="after")
    def _settings_of_used(self) -> Self:
        for name in self.names:
            if getattr(self, name) is None:
                raise ValueError(
                    f"'{name}' is in the set but its settings are null; leave the key out or give settings"
                )
        return self

    @model_serializer(mode="wrap")
    def _without_newcomers_that_are_not_used(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out unused later augmentations, so that they do not change the hash of a run's settings.

        The spec names each of the first fifteen, with None if it is not in use; for later augmentations None is left
        out.
        """
        newcomers = set(NAMES) - set(FIFTEEN)
        return {key: value for key, value in handler(self).items() if value is not None or key not in newcomers}


PolicySpec = create_model(
    "PolicySpec",
    __base__=_Policy,
    __module__=__name__,
    __doc__=_Policy.__doc__,
    **{name: (AUGMENTATIONS[name] | None, AUGMENTATIONS[name]()) for name in NAMES},
)
"""Settings of the policy: `augmentations`, and one key with the settings of each augmentation."""

REDRAWN = 0.75
"""Probability with which `subset` redraws an augmentation that is not named."""

PairingName = Literal["composed", "single", "crop_plus_one", "leave_one_out", "subset"]


class PairingSpec(StrictModel):
    """Which augmentations are redrawn for view b; all others share view a's draw.

    Shared augmentations are exactly the same in both views, unless an augmentation's probability differs between the
    views. Then each view applies it with its own probability, and if both apply it, with the same values.

    Augmentations named here that a run's policy does not use are ignored. Without crop in the policy, `crop_plus_one`
    is the same as `single`; if crop's group is the only one, that group is redrawn. With a single augmentation or group
    there is nothing to leave out, and `leave_one_out` is the same as `composed`.
    """

    mixture: Annotated[dict[PairingName, Positive], Field(min_length=1, default_factory=lambda: {"subset": 1.0})]
    """Weights of the kinds of pairs; each image of a batch draws its kind. `composed`: all augmentations are redrawn
    (plain VICReg). `single`: one is redrawn. `crop_plus_one`: crop and one other. `leave_one_out`: all but one.
    `subset`: each with its own probability.
    """
    groups: tuple[tuple[AugmentationName, ...], ...] = ()
    """Augmentations that `single`, `crop_plus_one` and `leave_one_out` treat as one. Those not listed are separate."""
    subset_probability: Probability | dict[AugmentationName, Probability] = REDRAWN
    """Probability of being redrawn with `subset`, one for all or per augmentation (others: 0.75)."""

    @model_validator(mode="after")
    def _groups_are_disjoint(self) -> Self:
        members = [name for group in self.groups for name in group]
        for name in members:
            if members.count(name) > 1:
                raise ValueError(f"groups: '{name}' stands in more than one place; name it once")
        return self
