"""Folders of base encoders and adapters: resolved, hashed and checked without opening any weights."""

import hashlib
from pathlib import Path
from typing import Any

from trainer.adapters.card import Card, read_card
from trainer.adapters.lora_config import ADAPTER_CONFIG, check_lora_config
from trainer.errors import AdapterError, EncoderError
from trainer.files import sha256_of
from trainer.labels import LABELS

STARTER = "starter"
ADAPTATION = "adaptation.json"
"""Beside the weights of an encoder that was adapted to a project."""
WEIGHTS = "adapter_model.safetensors"
TOKENIZER_FILES = (
    "tokenizer*",
    "vocab.*",
    "merges.txt",
    "*.model",
    "special_tokens_map.json",
    "added_tokens.json",
)
FINGERPRINTED = ("config.json", "*.safetensors", "*.safetensors.index.json", *TOKENIZER_FILES)
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz"}


def resolve_base(name: str) -> Path:
    """The folder of a base encoder: "starter", a local folder, or a hub name (`owner/model[@revision]`).

    A hub model is taken from the local cache, else downloaded. Raises EncoderError.
    """
    if name == STARTER:
        return _starter()
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _with_weights(folder, name)
    if folder.is_absolute() or name.startswith((".", "~")) or name.partition("@")[0].count("/") > 1:
        raise EncoderError(
            "{name}: no such folder; name an encoder's folder, a hub model, or {starter}",
            name=name,
            starter=repr(STARTER),
        )
    return _with_weights(_from_hub(name), name)


def base_files(folder: Path) -> list[Path]:
    return sorted({path for pattern in FINGERPRINTED for path in folder.glob(pattern) if path.is_file()})


def base_fingerprint(folder: Path) -> str:
    listing = "".join(f"{path.name} {sha256_of(path)}\n" for path in base_files(folder))
    return hashlib.sha256(listing.encode()).hexdigest()


def vouched_card(folder: Path) -> Card:
    """The card of an adapter folder after all checks: unchanged files, LABELS, no pickles, the LoRA shape on
    the card.

    peft builds what adapter_config.json states, so that file must agree with the card. Raises AdapterError.
    """
    card = read_card(folder)
    _refuse_pickles(folder)
    _refuse_other_labels(folder, card)
    _refuse_changed_files(folder, card)
    check_lora_config(folder, card)
    return card


def same_base(folder: Path, card: Card, name: str) -> Path:
    """The folder of the base `name`, verified to be the base of the adapter in `folder`.

    An adapted encoder is looked for beside the adapter first: it moves with its project. Raises AdapterError if it is
    another encoder, EncoderError if there is none.
    """
    beside = folder.absolute().parent / Path(name).name
    base = beside if (beside / ADAPTATION).is_file() else resolve_base(name)
    if base_fingerprint(base) != card.base.fingerprint:
        raise AdapterError(
            "{folder}: trained on another {name} than the one here; restore that encoder or train again",
            folder=folder,
            name=name,
        )
    return base


def _starter() -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "models" / STARTER, package / "_starter"):
        if (folder / "config.json").is_file():
            return folder
    raise EncoderError(
        "the starter encoder is not installed (looked in {folder}); reinstall the package, or name another base",
        folder=package.parent / "models" / STARTER,
    )


def _with_weights(folder: Path, name: str) -> Path:
    if not (folder / "config.json").is_file():
        raise EncoderError("{name}: holds no config.json, so it is not an encoder", name=name)
    if not any(folder.glob("*.safetensors")):
        raise EncoderError(
            "{name}: holds no safetensors weights (other formats can run code and are not opened); save it as safetensors, or name a hub revision that has them, such as NAME@refs/pr/1",
            name=name,
        )
    return folder


def _from_hub(name: str) -> Path:
    # Imported here: most bases are folders, and the hub's client loads an HTTP stack.
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    repository, _, revision = name.partition("@")
    wanted: dict[str, Any] = {"revision": revision or None, "allow_patterns": list(FINGERPRINTED)}
    try:
        folder = snapshot_download(repository, local_files_only=True, **wanted)  # nosec B615 # the name may carry a revision
        cached = Path(folder)
        if any(cached.glob("*.safetensors")):
            return cached
    except (OSError, ValueError):
        pass  # not in the cache yet
    try:
        folder = snapshot_download(repository, **wanted)  # nosec B615 # the name may carry a revision
        return Path(folder)
    except Exception as error:  # the hub client raises many types, all of which mean: not available
        raise EncoderError(
            "{name}: neither a folder, nor in the local cache, nor to be had from the hub; run `hf download {repository}` where there is a network, or name a folder",
            name=name,
            repository=repository,
        ) from error


def _refuse_pickles(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLES:
            raise AdapterError(
                "{folder}: holds {name}, a format that can run code; it was not opened. An adapter of ours has safetensors only: delete the file if you know where it comes from",
                folder=folder,
                name=path.name,
            )


def _refuse_other_labels(folder: Path, card: Card) -> None:
    if len(card.labels) != len(LABELS) or set(card.labels) != set(LABELS):
        raise AdapterError(
            "{folder}: its labels are {labels}, not {ours}; train one for ours",
            folder=folder,
            labels=", ".join(card.labels),
            ours=", ".join(LABELS),
        )


def _refuse_changed_files(folder: Path, card: Card) -> None:
    for name in (WEIGHTS, ADAPTER_CONFIG):
        if name not in card.files:
            raise AdapterError(
                "{folder}: its card does not vouch for {name}; restore it or train again",
                folder=folder,
                name=name,
            )
    for name, sha256 in card.files.items():
        path = folder / Path(name).name
        if not path.is_file():
            raise AdapterError(
                "{folder}: {name} is missing; restore it or train again", folder=folder, name=name
            )
        if sha256_of(path) != sha256:
            raise AdapterError(
                "{path}: truncated or changed since written; restore it or train again", path=path
            )
