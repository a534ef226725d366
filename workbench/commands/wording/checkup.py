"""The lines of `workbench doctor`."""

import math
from typing import Any

from workbench.commands.wording.language import N_, _, filled
from workbench.doctor import Checkup, Duration, Workload, size_text

BASE_WORDS = {None: N_("not looked at"), True: N_("here"), False: N_("not here")}
WORKER_WORDS = {None: N_("no project here"), True: N_("running"), False: N_("not running")}
SPEED_WORDS = {"training": N_("training"), "scoring": N_("scoring")}


def rows(checkup: Checkup) -> list[tuple[str, str]]:
    base = _(BASE_WORDS[checkup.is_base_here])
    audit = filled("intact up to {head}", head=checkup.audit) if checkup.audit else _("no project here")
    return [
        *_machine_rows(checkup.machine),
        (_("base encoder"), filled("{base}, {where}", base=checkup.base, where=base)),
        *_speed_rows(checkup.posts_per_second),
        *_round_rows(checkup.workload, checkup.round),
        (_("worker"), _(WORKER_WORDS[checkup.worker])),
        (_("audit"), audit),
        (_("free disk"), size_text(checkup.free_disk)),
    ]


def _machine_rows(machine: dict[str, Any] | None) -> list[tuple[str, str]]:
    if machine is None:
        return []
    memory, gpu = size_text(machine["memory"]), _("none")
    if machine["gpu"] is not None:
        gpu = filled("{name}, {memory}", name=machine["gpu"], memory=size_text(machine["gpu_memory"]))
    precision = {name: machine[f"{name}_precision"] for name in ("training", "scoring")}
    return [
        (_("processor"), filled("{count} cores, {memory} memory", count=machine["cores"], memory=memory)),
        ("GPU", gpu),
        (_("precision"), filled("training {training}, scoring {scoring}", **precision)),
    ]


def _speed_rows(speeds: dict[str, float] | None) -> list[tuple[str, str]]:
    return [
        (_(SPEED_WORDS[name]), filled("{speed:,.0f} posts/s", speed=speed))
        for name, speed in (speeds or {}).items()
    ]


def _round_rows(work: Workload, duration: Duration | None) -> list[tuple[str, str]]:
    if duration is None:
        return []
    whose = _("an example") if work.is_example else _("as in this project")
    parts = {"training": duration.training_minutes, "scoring": duration.scoring_minutes}
    rows = [
        (_("a round"), filled("at most {time}", time=_time(duration.minutes))),
        (
            "",
            filled(
                "for {labels:,} labels and {posts:,} posts, {whose}",
                labels=work.labels,
                posts=work.posts,
                whose=whose,
            ),
        ),
        (
            "",
            filled(
                "training {training}, scoring {scoring}",
                **{name: _time(minutes) for name, minutes in parts.items()},
            ),
        ),
        ("", filled("all {epochs} epochs counted; training may stop earlier", epochs=duration.epochs)),
        ("", _("measured on the sample posts; longer posts take longer")),
    ]
    if duration.cost is not None:
        cost = math.ceil(duration.cost * 100) / 100
        rows.append((_("cost"), filled("at most {cost:,.2f}", cost=cost)))
    return rows


def _time(minutes: float) -> str:
    if minutes < 1:
        return _("a minute")
    if minutes < 120:
        return filled("{minutes} min", minutes=math.ceil(minutes))
    return filled("{hours:.1f} h", hours=minutes / 60)
