"""Words of the code that commands print: English as they are, in other languages by the catalogue."""

from collections.abc import Mapping

from workbench.commands.wording.language import N_, _, filled, listed

LABELS = (N_("normal"), N_("suspicious"), N_("violation"))
STATES = (
    N_("queued"),
    N_("exporting"),
    N_("training"),
    N_("evaluating"),
    N_("gating"),
    N_("awaiting"),
    N_("scoring"),
    N_("promoted"),
    N_("rejected"),
    N_("failed"),
    N_("cancelled"),
    N_("running"),
    N_("done"),
)
SPLITS = (N_("pool"), N_("train"), N_("validation"), N_("test"), N_("audit"), N_("unprepared"))
VERDICTS = (N_("pass"), N_("human"), N_("flag"))
ROLES = (N_("annotator"), N_("reviewer"), N_("lead"), N_("admin"))
EVENTS = (
    N_("labelled"),
    N_("skipped"),
    N_("took back"),
    N_("changed"),
    N_("added to"),
    N_("given"),
    N_("brought in"),
    N_("decided"),
    N_("withdrew"),
)
LANES = (
    N_("uncertain"),
    N_("random"),
    N_("second_opinion"),
    N_("held_out"),
    N_("typical"),
)
RADAR = (N_("import"), N_("week"), N_("certainty"), N_("sound"), N_("letters"), N_("look"))
STATUS = (
    N_("posts"),
    N_("unlabelled"),
    N_("in band"),
    N_("below band"),
    N_("widened"),
    N_("left out"),
    N_("claimed"),
    N_("champion"),
    N_("queue order"),
    N_("quick labels"),
    N_("preparing"),
    N_("quarantined"),
    N_("worker"),
    N_("typical and random posts"),
    N_("a simple model of the labels"),
)
PURGED = (
    N_("claims"),
    N_("lapsed claims"),
    N_("drafts"),
    N_("comments"),
    N_("readers of comments"),
    N_("explanations"),
    N_("queue entries"),
    N_("verdicts"),
    N_("posts of rulings"),
    N_("check answers"),
    N_("resolutions"),
    N_("annotations"),
    N_("facts"),
    N_("texts"),
    N_("near-copy keys"),
    N_("unreadable rows"),
    N_("exported lines"),
    N_("doubts"),
    N_("checked posts"),
    N_("scores"),
    N_("token ids"),
)
METRICS = (N_("macro_f1"), N_("linear_macro_f1"), N_("accuracy"), N_("ece"))
FLIPS = (N_("entered the band"), N_("left the band"))
ACCOUNTS = (N_("command line"),)

WORDS = frozenset(
    (
        *(*LABELS, *STATES, *SPLITS, *VERDICTS, *ROLES, *EVENTS, *LANES, *RADAR),
        *(*STATUS, *PURGED, *METRICS, *FLIPS, *ACCOUNTS),
    )
)


def word(value: str) -> str:
    """Not for what people wrote: a reason may be called as a label is."""
    return _(value) if value in WORDS else value


def counts_text(counts: Mapping[str, int]) -> str:
    return listed(
        [filled("{count:,} {name}", count=count, name=word(name)) for name, count in counts.items()]
    )
