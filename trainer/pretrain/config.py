"""The settings of a pre-training."""

from dataclasses import dataclass, field

from trainer.errors import TrainerError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)


@dataclass(frozen=True)
class PretrainConfig:
    """Lengths are in tokens with `[CLS]` and `[SEP]`; rates and shares run from 0 to 1.

    `corpus` maps a file to its weight in the mixture. The budget is `steps` if given, else `minutes` of
    training; reading the corpus is extra. `vocabulary` counts all tokens, of which `characters` are single
    characters and `pieces` runs of Latin letters or digits; the rest are words. `base` is the fingerprint of the
    encoder that an adaptation goes on from; its vocabulary and shape are then those in force.
    """

    corpus: dict[str, float] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    base: str = ""
    steps: int | None = None
    minutes: float = 60.0
    seed: int = 0
    cap: float = 1 / 3
    vocabulary: int = 24_000
    characters: int = 7_400
    pieces: int = 600
    layers: int = 3
    width: int = 256
    heads: int = 4
    length: int = 128
    positions: int = 256
    batch_tokens: int = 2560
    learning_rate: float = 1.5e-3
    warm_up: float = 0.05
    mask_rate: float = 0.2
    summary_weight: float = 0.2
    pool: int = 16384

    def __post_init__(self) -> None:
        if self.minutes <= 0 or (self.steps is not None and self.steps <= 0):
            raise TrainerError("nothing to do: --minutes and --steps must be above zero")
        if not 3 <= self.length <= self.positions:
            raise TrainerError(
                "--length is {length}; it must lie between 3 and {positions}",
                length=self.length,
                positions=self.positions,
            )
        if self.width % (2 * self.heads):
            raise TrainerError(
                "--width ({width}) must be a multiple of twice --heads ({heads})",
                width=self.width,
                heads=self.heads,
            )
        if not len(SPECIAL) + self.characters + self.pieces <= self.vocabulary <= 60_000:
            raise TrainerError(
                "--vocabulary is {vocabulary}; it must hold {characters} characters and {pieces} pieces, and 60,000 at most",
                vocabulary=f"{self.vocabulary:,}",
                characters=f"{self.characters:,}",
                pieces=f"{self.pieces:,}",
            )


@dataclass(frozen=True)
class DistilConfig:
    """Lengths are in tokens with `[CLS]` and `[SEP]`; the budget is `steps` if given, else `minutes` of training."""

    base: str = ""
    taught: str = ""
    steps: int | None = None
    minutes: float = 60.0
    seed: int = 0
    length: int = 128
    batch_tokens: int = 2560
    learning_rate: float = 1e-3
    warm_up: float = 0.05
    mask_rate: float = 0.2
    masked_weight: float = 0.2
    summary_weight: float = 0.2
    likeness_weight: float = 5.0
    pool: int = 16384

    def __post_init__(self) -> None:
        if self.minutes <= 0 or (self.steps is not None and self.steps <= 0):
            raise TrainerError("nothing to do: --minutes and --steps must be above zero")
